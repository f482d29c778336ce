"""The body of a Prometheus answer, decoded as its Go client does.

>>> body = b'{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}'
>>> read_samples(read_body(body).data)
Samples(scalar=True, values=(5.0,))

Source: api/prometheus/v1/api.go of prometheus/client_golang, and model of prometheus/common.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotext import parse_float, quote
from rollout_runner.argo.gojson_syntax import syntax_error
from rollout_runner.argo.jsoniter import JsonReader, JsonReadError

_NO_TYPE: Final = "<ValNone>"
_TYPES: Final = frozenset({_NO_TYPE, "scalar", "vector", "matrix", "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The envelope; `data` is the text of its payload."""

    status: str = ""
    data: bytes = b""
    error_type: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The values of a result in the server's order; labels are lost. A scalar has one."""

    scalar: bool
    values: tuple[float, ...]


def read_body(body: bytes) -> Body:
    """Read the envelope.

    Raises:
        JsonReadError: it cannot be read.
    """
    reader = JsonReader(body)
    found = reader.struct(
        {
            "status": reader.text,
            "data": reader.raw,
            "errorType": reader.text,
            "error": reader.text,
            "warnings": lambda: reader.array(reader.text, "[]string"),
            "infos": lambda: reader.array(reader.text, "[]string"),
        },
        "v1.apiResponse",
    )
    reader.end()
    return Body(
        status=found.get("status", ""),
        data=found.get("data", b""),
        error_type=found.get("errorType", ""),
        error=found.get("error", ""),
        warnings=tuple(found.get("warnings", ())),
    )


def read_samples(data: bytes) -> Samples:
    """Read the payload of an answer to a query.

    Raises:
        JsonReadError: it cannot be read, or holds what is no sample.
    """
    reader = JsonReader(data)
    reader.skip_space()
    raw = reader.raw()
    try:
        samples = _samples(raw)
    except JsonReadError as error:
        reader.fail("unmarshalerDecoder", str(error))
    reader.end()
    return samples


def _samples(raw: bytes) -> Samples:
    reader = JsonReader(raw)
    found = reader.struct({"resultType": lambda: _result_type(reader), "result": reader.raw}, "")
    kind, result = found.get("resultType", _NO_TYPE), found.get("result", b"")
    match kind:
        case "scalar":
            return Samples(scalar=True, values=(_nested(result, _scalar),))
        case "vector":
            return Samples(scalar=False, values=tuple(_vector(result)))
        case "matrix":
            return Samples(scalar=False, values=tuple(_matrix(result)))
        case _:
            raise JsonReadError(f"unexpected value type {quote(kind)}")


def _result_type(reader: JsonReader) -> str:
    reader.skip_space()
    text = reader.text()
    if text not in _TYPES:
        reader.fail("unmarshalerDecoder", f"unknown value type {quote(text)}")
    return text


def _nested(raw: bytes, read: Any) -> Any:
    """Read an element with a Go type's own reader, as json-iterator calls it."""
    reader = JsonReader(raw)
    reader.skip_space()
    text = reader.raw()
    try:
        return read(text)
    except JsonReadError as error:
        reader.fail("unmarshalerDecoder", str(error))


def _scalar(raw: bytes) -> float:
    pair = _pair(raw)
    text = pair[1] if len(pair) > 1 else ""
    if not isinstance(text, str):
        raise JsonReadError("json: cannot unmarshal number into Go value of type string")
    try:
        return parse_float(text)
    except ConditionError as error:
        raise JsonReadError(f"error parsing sample value: {error}") from None


def _vector(raw: bytes) -> list[float]:
    reader = JsonReader(raw)

    def sample() -> float:
        reader.skip_space()
        text = reader.raw()
        try:
            return _sample(text)
        except JsonReadError as error:
            reader.fail("unmarshalerDecoder", str(error))

    return reader.array(sample, "model.Vector")


def _sample(raw: bytes) -> float:
    syntax = syntax_error(raw)
    if syntax:
        raise JsonReadError(syntax)
    document = json.loads(raw)
    if document is None:
        return 0.0
    if not isinstance(document, dict):
        raise JsonReadError("json: cannot unmarshal a sample that is no object")
    value = document.get("value", document.get("Value"))
    if value is None:
        return 0.0  # as the client: a native histogram, or a sample without a value
    if not isinstance(value, list):
        raise JsonReadError("json: cannot unmarshal a value that is no array")
    return 0.0 if len(value) < 2 else _sample_value(value[1])


def _matrix(raw: bytes) -> list[float]:
    values: list[float] = []
    reader = JsonReader(raw)

    def stream() -> None:
        name = reader.field()
        while name:
            match name:
                case "metric":
                    reader.skip()
                case "values":
                    while reader.more():
                        values.append(_sample_pair(reader))
                case "histograms":
                    while reader.more():
                        reader.skip()
                case _:
                    reader.fail("unmarshal model.SampleStream", f"unexpected key:{name}")
            name = reader.field()

    reader.array(stream, "model.Matrix")
    return values


def _sample_pair(reader: JsonReader) -> float:
    operation = "unmarshal model.SamplePair"
    if not reader.more():
        reader.fail(operation, "SamplePair must be [timestamp, value]")
    reader.skip_space()
    reader.number()
    if not reader.more():
        reader.fail(operation, "SamplePair missing value")
    text = reader.text()
    try:
        value = parse_float(text)
    except ConditionError as error:
        reader.fail(operation, str(error))
    if reader.more():
        reader.fail(operation, "SamplePair has too many values, must be [timestamp, value]")
    return value


def _sample_value(value: Any) -> float:
    if not isinstance(value, str):
        raise JsonReadError("sample value must be a quoted string")
    try:
        return parse_float(value)
    except ConditionError as error:
        raise JsonReadError(str(error)) from None


def _pair(raw: bytes) -> list[Any]:
    syntax = syntax_error(raw)
    if syntax:
        raise JsonReadError(syntax)
    document = json.loads(raw)
    if not isinstance(document, list):
        raise JsonReadError("json: cannot unmarshal a scalar that is no array")
    return document
