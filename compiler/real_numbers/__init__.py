"""What a source network and its rules say in real numbers: what the integers are held against."""
