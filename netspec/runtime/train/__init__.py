"""Training: the loop, its step, loss, optimizers, schedules, evaluation, history and signals."""
