"""The reference of the language: every word that a spec may use, explained by the record that checks it."""
