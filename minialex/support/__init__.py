"""Small helpers that know nothing of deep learning."""
