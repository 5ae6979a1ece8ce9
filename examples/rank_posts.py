"""An internal team's job: rank posts for a sample of readers.

    python rank_posts.py [--posts 400000]

A two-tower model: a small network turns what is known of each post into a vector, another
has turned each reader into one, and a post's score is its mean affinity over the readers.
The posts are made up from a fixed seed; the work is real and plain numpy.
"""

import argparse
import sys

import numpy as np

FEATURES = 96
HIDDEN = 384
VECTOR = 128
READERS = 1024
BATCH = 4_000
PROGRESS_LINES = 8
SEED = 20261122


def tower(features: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Rows of features as vectors of length one."""
    hidden = np.maximum(features @ weights[0], 0)
    vectors = np.maximum(hidden @ weights[1], 0) @ weights[2]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def layers(random: np.random.Generator) -> list[np.ndarray]:
    """One tower's weights."""
    shapes = ((FEATURES, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, VECTOR))
    return [
        (random.standard_normal(shape) * np.sqrt(2 / shape[0])).astype(np.float32)
        for shape in shapes
    ]


def score_batch(
    features: np.ndarray, post_tower: list[np.ndarray], readers: np.ndarray
) -> np.ndarray:
    """Each post's mean affinity over the readers, between 0 and 1."""
    affinity = tower(features, post_tower) @ readers.T
    return (1 / (1 + np.exp(-8 * affinity))).mean(axis=1)


def main() -> int:
    """Rank them and print the best; the exit code."""
    parser = argparse.ArgumentParser(description="Rank posts for a sample of readers.")
    parser.add_argument("--posts", type=int, default=400_000, help="how many (default 400000)")
    posts = parser.parse_args().posts
    random = np.random.default_rng(SEED)
    post_tower, reader_tower = layers(random), layers(random)
    readers = tower(random.standard_normal((READERS, FEATURES), dtype=np.float32), reader_tower)

    print(f"ranking {posts:,} posts for {READERS:,} readers", flush=True)
    top_post, top_score, shown = -1, -1.0, 0
    for start in range(0, posts, BATCH):
        size = min(BATCH, posts - start)
        features = random.standard_normal((size, FEATURES), dtype=np.float32)
        scores = score_batch(features, post_tower, readers)
        best = int(scores.argmax())
        if scores[best] > top_score:
            top_post, top_score = start + best, float(scores[best])
        ranked = start + size
        if ranked * PROGRESS_LINES // posts > shown:
            shown = ranked * PROGRESS_LINES // posts
            share = 100 * ranked // posts
            print(f"ranked {ranked:,}/{posts:,}  {share} %  best {top_score:.2f}", flush=True)
    print(f"ranked {posts:,} posts, top post {top_post} score {top_score:.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
