"""Keys of sections as other tools have them: what to write instead, or where it stands."""

from __future__ import annotations

from typing import Final


def _said(sentences: dict[str, str]) -> dict[str, str]:
    """By each key, the sentence that stands beside it."""
    return {key: sentence for keys, sentence in sentences.items() for key in keys.split()}


def _called(**names: str) -> dict[str, str]:
    """Our own name for keys that others use."""
    return {key: name for name, keys in names.items() for key in keys.split()}


SOURCE: Final = "Name the kind and the path, as in source: csv table.csv label; `netspec ops data.source` says more."
"""What is said of what stands for the source of data."""
TARGET: Final = "It belongs to the source, as in source: csv table.csv target=label"
NAMES: Final[dict[str, dict[str, str]]] = {
    "train": _called(
        loss="criterion loss_fn loss_function objective",
        optimizer="opt optim",
        scheduler="sched lr_scheduler lr_schedule schedule",
        epochs="num_epochs n_epochs max_epochs num_train_epochs nb_epoch",
        batch="batch_size batchsize bs per_device_train_batch_size",
        clip_grad="gradient_clip gradient_clip_val max_grad_norm grad_clip clip_norm clipnorm clip_gradients",
        accumulate="gradient_accumulation gradient_accumulation_steps accumulate_grad_batches grad_accum",
        seed="random_seed random_state",
        ema="ema_decay use_ema weight_ema",
        evaluate="eval_every val_every eval_interval evaluation",
        early_stop="earlystopping early_stopping",
    ),
    "data": _called(
        augment="augmentation augmentations", transform="transforms preprocessing preprocess", workers="num_workers"
    ),
}
"""Keys of sections, by what others call them."""
KEYS: Final[dict[str, dict[str, str]]] = {
    "train": _said(
        {
            "lr learning_rate base_lr": "It belongs to the optimizer, as in optimizer: sgd lr=0.01",
            "weight_decay": "It belongs to the optimizer, as in optimizer: adamw weight_decay=0.1",
            "momentum": "It belongs to the optimizer, as in optimizer: sgd momentum=0.9",
            "label_smoothing class_weight": "It belongs to the loss, as in loss: cross_entropy label_smoothing=0.1",
            "warmup warmup_steps warmup_epochs": "It belongs to the scheduler, as in scheduler: cosine warmup=500",
            "patience monitor": "It belongs to early_stop, as in early_stop: val.loss patience=5",
            "val_split validation_split split val test": (
                "It belongs into `data`, as in data: {source: digits, split: {val: 0.1}}"
            ),
            "transform transforms augment augmentation": (
                "It belongs into `data`, as in data: {source: digits, augment: flip}"
            ),
            "num_workers workers": "It belongs into `data`, as in data: {source: digits, workers: 4}",
            "shuffle": "Leave it out: training data is always drawn anew, as the seed has it.",
            "amp mixed_precision fp16 bf16 half": "Write precision: bf16",
            "gpus gpu devices accelerator cuda": "Write device: cuda; several are --nproc 4 on the command line.",
            "save_every save_steps save_top_k save_best": "Write checkpoint: {keep: 3}; the best is kept anyway.",
            "log_every logging_steps verbose log_interval": "Leave it out: every epoch is told.",
            "wandb logger mlflow": "Write tensorboard: true; metrics.jsonl in the run's folder has all values.",
        }
    ),
    "data": _said(
        {
            "dataset name type path file files root dir folder train url format kind": SOURCE,
            "target label labels target_column label_column": TARGET,
            "val test validation val_split test_split validation_split test_size": (
                "It belongs to split, as in split: {val: 0.1}"
            ),
            "batch batch_size": "It belongs into `train`, as in train: {batch: 64}",
            "epochs": "It belongs into `train`, as in train: {epochs: 10}",
            "loss optimizer": "It belongs into `train`, as in train: {loss: cross_entropy, optimizer: adamw}",
            "device seed": "It belongs into `train`, as in train: {device: cuda, seed: 1}",
            "shuffle": "Leave it out: training data is always drawn anew, as the seed has it.",
            "image_size input_size img_size imgsz": "Write transform: resize 64",
        }
    ),
}
"""What is said of keys that a section does not have."""


def meant(section: str, key: str) -> str:
    """What to do about a key that a section does not have; empty for one that nobody else has."""
    word = key.lower().replace("-", "_")
    name = NAMES.get(section, {}).get(word)
    return f"It is called {name} here." if name else KEYS.get(section, {}).get(word, "")
