"""Scrubjay: build, measure, train and open up language models that know when to look things up."""

__version__ = "0.1.0"
