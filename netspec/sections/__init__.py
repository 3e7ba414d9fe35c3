"""The sections of a spec: what each says, and how it is read."""
