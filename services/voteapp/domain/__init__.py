"""What the front end answers and which requests it spoils: values in, values out."""
