"""Images → fixations: readers of data sets, patches, and the sequence in which they are seen."""
