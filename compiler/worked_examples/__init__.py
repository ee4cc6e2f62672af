"""Each rule on two fixations: the change that is expected and the one that the chip makes."""
