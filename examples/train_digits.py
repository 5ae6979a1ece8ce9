"""A real training job: a small neural network learns handwritten digits.

    python train_digits.py [--epochs 12]

It reads the 1,797 digits that come with scikit-learn (no network), shifts each by a pixel
in every direction, and trains a network of two hidden layers in plain numpy. It is what a
job on reclaimable capacity should be:

- after each epoch, and at once on SIGTERM, it saves `checkpoint.npz` in the current
  directory, written aside and renamed, so that a kill at any moment leaves a whole one;
- started again, it goes on from there, to the step: the result is the same as if it had
  never been interrupted;
- interrupted, it exits with 143 (128 + SIGTERM): "run me again".

At the end it writes `result.json`.
"""

import argparse
import importlib.util
import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from types import FrameType

# As many workers as we were given cores, each with a one-threaded matrix library: workers
# sleep while they wait for each other, where the library's own threads would spin.
WORKERS = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402 - it reads the settings above

CHECKPOINT = Path("checkpoint.npz")
RESULT = Path("result.json")
INTERRUPTED = 128 + signal.SIGTERM

SIDE = 8
HELD_OUT = 360  # digits never trained on, which the accuracy is measured on
LAYERS = (SIDE * SIDE, 768, 384, 10)
BATCH = 512
SHARDS = 4
PASSES_PER_EPOCH = 4
LEARNING_RATE = 0.006
MOMENTUM = 0.9
SEED = 20261122

State = dict[str, np.ndarray]

_interrupted = False


def note_interruption(_signal: int, _frame: FrameType | None) -> None:
    """Only takes note: the step under way ends first, then the checkpoint is saved."""
    global _interrupted
    _interrupted = True


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """The images, each row 64 values in 0..1, and their digits.

    Reads the file that `sklearn.datasets.load_digits` reads: importing scikit-learn takes
    over a second, which every attempt of an interrupted job would pay again.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        sys.exit("train_digits needs scikit-learn: pip install scikit-learn")
    folder = Path(package.submodule_search_locations[0]) / "datasets" / "data"
    table = np.loadtxt(folder / "digits.csv.gz", delimiter=",", dtype=np.float32)
    return table[:, :-1] / 16, table[:, -1].astype(np.int64)


def shifted(images: np.ndarray) -> np.ndarray:
    """The images and their eight shifts by one pixel: nine times as many rows."""
    padded = np.pad(images.reshape(-1, SIDE, SIDE), ((0, 0), (1, 1), (1, 1)))
    views = [padded[:, y : y + SIDE, x : x + SIDE] for y in range(3) for x in range(3)]
    return np.concatenate([view.reshape(len(images), -1) for view in views])


def fresh_state() -> State:
    """Random weights, resting momentum, nothing done."""
    random = np.random.default_rng(SEED)
    state = {"epochs_done": np.array(0), "steps_done": np.array(0), "loss_sum": np.array(0.0)}
    for layer, (fan_in, fan_out) in enumerate(pairwise(LAYERS)):
        weights = random.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out))
        state[f"w{layer}"] = weights.astype(np.float32)
        state[f"b{layer}"] = np.zeros(fan_out, np.float32)
        state[f"w{layer}_speed"] = np.zeros((fan_in, fan_out), np.float32)
        state[f"b{layer}_speed"] = np.zeros(fan_out, np.float32)
    return state


def save(state: State) -> None:
    """Replace the checkpoint whole: write aside, flush, rename."""
    aside = CHECKPOINT.with_suffix(".partial")
    with aside.open("wb") as file:
        np.savez(file, **state)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(CHECKPOINT)


def load() -> State | None:
    """The checkpoint, if there is one."""
    if not CHECKPOINT.exists():
        return None
    with np.load(CHECKPOINT, allow_pickle=False) as saved:
        return {name: saved[name] for name in saved.files}


def forward(state: State, images: np.ndarray) -> list[np.ndarray]:
    """The output of every layer; the last is the probability of each digit."""
    outputs = [images]
    last = len(LAYERS) - 2
    for layer in range(last + 1):
        signal_in = outputs[-1] @ state[f"w{layer}"] + state[f"b{layer}"]
        outputs.append(np.maximum(signal_in, 0) if layer < last else softmax(signal_in))
    return outputs


def softmax(scores: np.ndarray) -> np.ndarray:
    """Scores as probabilities, row by row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def gradients_of(
    state: State, images: np.ndarray, digits: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss summed over these rows, and by how much each weight should move."""
    outputs = forward(state, images)
    rows = np.arange(len(digits))
    loss = -np.log(outputs[-1][rows, digits] + 1e-9).sum()
    slope = outputs[-1]
    slope[rows, digits] -= 1
    slope *= -LEARNING_RATE / BATCH  # here, where it is small: all that follows is linear
    gradients = {}
    for layer in reversed(range(len(LAYERS) - 1)):
        gradients[f"w{layer}"] = outputs[layer].T @ slope
        gradients[f"b{layer}"] = slope.sum(axis=0)
        if layer > 0:
            slope = (slope @ state[f"w{layer}"].T) * (outputs[layer] > 0)
    return float(loss), gradients


def train_step(
    state: State, images: np.ndarray, digits: np.ndarray, workers: ThreadPoolExecutor
) -> float:
    """One step down the gradient with momentum; the mean loss before it.

    The batch is always cut into the same shards and summed in the same order, so the
    result does not depend on how many cores there are.
    """
    shards = zip(np.split(images, SHARDS), np.split(digits, SHARDS), strict=True)
    parts = list(workers.map(lambda shard: gradients_of(state, *shard), shards))
    for _, gradients in parts:
        for name, gradient in gradients.items():
            if gradients is parts[0][1]:
                state[f"{name}_speed"] *= MOMENTUM
            state[f"{name}_speed"] += gradient
    for name in parts[0][1]:
        state[name] += state[f"{name}_speed"]
    return sum(loss for loss, _ in parts) / BATCH


def train_epoch(
    state: State, images: np.ndarray, digits: np.ndarray, workers: ThreadPoolExecutor
) -> float | None:
    """Finish the epoch that `state` is in; its mean loss, or None when interrupted."""
    random = np.random.default_rng((SEED, int(state["epochs_done"])))
    order = np.concatenate([random.permutation(len(images)) for _ in range(PASSES_PER_EPOCH)])
    steps = len(order) // BATCH
    for step in range(int(state["steps_done"]), steps):
        if _interrupted:
            return None
        rows = order[step * BATCH : (step + 1) * BATCH]
        state["loss_sum"] = state["loss_sum"] + train_step(
            state, images[rows], digits[rows], workers
        )
        state["steps_done"] = np.array(step + 1)
    loss = float(state["loss_sum"]) / steps
    state["epochs_done"] = state["epochs_done"] + 1
    state["steps_done"], state["loss_sum"] = np.array(0), np.array(0.0)
    return loss


def accuracy_of(state: State, images: np.ndarray, digits: np.ndarray) -> float:
    """The share of digits it names correctly."""
    return float((forward(state, images)[-1].argmax(axis=1) == digits).mean())


def main() -> int:
    """Train, from the checkpoint if there is one; the exit code."""
    parser = argparse.ArgumentParser(description="Train a small network on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=12, help="how many in all (default 12)")
    epochs = parser.parse_args().epochs
    signal.signal(signal.SIGTERM, note_interruption)

    images, digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(images))
    held_out, learned = order[:HELD_OUT], order[HELD_OUT:]
    train_images, train_digits = shifted(images[learned]), np.tile(digits[learned], 9)

    workers = ThreadPoolExecutor(WORKERS)
    state = load()
    if state is None:
        state, resumed_from = fresh_state(), 0
        print(f"starting from scratch, {epochs} epochs", flush=True)
    else:
        resumed_from = int(state["epochs_done"])
        print(f"resumes from epoch {resumed_from}", flush=True)

    while (done := int(state["epochs_done"])) < epochs:
        loss = train_epoch(state, train_images, train_digits, workers)
        save(state)
        if loss is None:
            print(f"interrupted in epoch {done + 1}, checkpoint saved", flush=True)
            return INTERRUPTED
        accuracy = 100 * accuracy_of(state, images[held_out], digits[held_out])
        line = f"epoch {done + 1}/{epochs}  loss {loss:.4f}  accuracy {accuracy:.1f} %"
        print(line, flush=True)

    accuracy = accuracy_of(state, images[held_out], digits[held_out])
    print(f"finished: {done}/{epochs} epochs, accuracy {100 * accuracy:.1f} %", flush=True)
    facts = {
        "epochs_total": epochs,
        "epochs_done": done,
        "accuracy": round(accuracy, 4),
        "resumed_from": resumed_from,
    }
    RESULT.write_text(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
