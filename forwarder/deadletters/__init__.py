"""Dead letters: found by filters, counted, explained, and sent again."""
