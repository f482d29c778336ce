"""When to send what to whom, and what came of it: values in, values out."""
