"""Networks: how an input becomes the activity of each layer."""
