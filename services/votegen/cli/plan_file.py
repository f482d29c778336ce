"""Plan files: YAML or JSON, as `PUT /control/plan` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from svckit.errors import InvalidInput
from votegen.cli.files import read_text
from votegen.schemas import PlanBody

if TYPE_CHECKING:
    from pathlib import Path

    from votegen.domain.plan import Plan


def read_plan(file: Path) -> Plan:
    """Read a plan file.

    Raises:
        InvalidInput: it cannot be read, or is no plan; the text names the field.
    """
    try:
        document = yaml.safe_load(read_text("--plan", file))
    except yaml.YAMLError as error:
        raise InvalidInput(f"--plan {file}: not YAML: {error}") from None
    try:
        return PlanBody.model_validate(document).to_domain()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the plan"
        raise InvalidInput(f"--plan {file}: {where}: {first['msg']}") from None
