"""The summary: the numbers of some days, compared with as many days before."""
