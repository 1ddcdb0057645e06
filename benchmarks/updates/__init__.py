"""Whether clients lose a request while an endpoint is updated, in each of the ways in which it can be."""
