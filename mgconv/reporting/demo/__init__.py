"""The page of `mgconv demo`: what is done on it, and how gradio lays it out."""
