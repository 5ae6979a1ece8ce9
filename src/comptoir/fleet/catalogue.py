"""The facts of every accelerator kind, and where each was read. Data only; read by `kinds.py`.

A source begins with how far to trust it: `P` the maker's own word, `S` press or analysts,
`T` a third party's copy of the maker's page, `=` our arithmetic on the others, `-` looked
for and not found: then the fact is None. All were read in November 2026.
"""

from typing import NamedTuple

Fact = tuple[int | None, str]


class Facts(NamedTuple):
    """One kind: what it is, each fact beside its source."""

    maker: str
    memory_bytes: Fact
    watts: Fact
    domain: Fact
    announced: bool = False
    shared: bool = False
    network: Fact = (None, "- no published cluster found that says so")


_GB = 10**9
_GIB = 1 << 30
_NOT_FOUND: Fact = (None, "- not found")
_NVIDIA_T = "T nvidia.com datasheet, as copied by"
_TPU = "P docs.cloud.google.com/tpu/docs"
_NEURON = "P awsdocs-neuron.readthedocs-hosted.com"
_MTIA_2024 = "S techpowerup.com, 2024-04, on Meta's next-generation MTIA"
_MTIA_2026 = "S the-decoder.com and tomshardware.com, 2026-03, on Meta's MTIA roadmap"
_LLAMA_3 = "S glennklockwood.com on the Llama 3 paper: 192 racks of 16 a pod, full bisection"
_MI300X = "P AMD's system description in MLPerf Inference v4.1, 8xMI300X_2xEPYC-9374F"

FACTS: dict[str, Facts] = {
    "cpu-core": Facts(
        "any",
        (None, "= a core has no memory of its own: its node's is shared out"),
        _NOT_FOUND,
        (1, "= a core"),
        shared=True,
    ),
    "h100-sxm": Facts(
        "NVIDIA",
        (80 * _GB, f"{_NVIDIA_T} hawkvelt.id.au, 2024-08"),
        (700, f"{_NVIDIA_T} hawkvelt.id.au, 2024-08"),
        (8, "T an SXM5 baseboard joins 8 by NVLink: hawkvelt.id.au, 2024-08"),
        network=(3_072, _LLAMA_3),
    ),
    "h100-pcie": Facts(
        "NVIDIA",
        (80 * _GB, "T list prices name it H100 PCIe 80GB: Lambda, Hyperstack, 2026"),
        (350, "P NVIDIA H100 PCIe product brief PB-11133-001 v02, 2022-11"),
        _NOT_FOUND,
    ),
    "h200-sxm": Facts(
        "NVIDIA",
        (141 * _GB, f"{_NVIDIA_T} openmetal.io"),
        (700, f"{_NVIDIA_T} openmetal.io"),
        (8, "T an HGX H200 joins 8 through NVSwitch: openmetal.io"),
    ),
    "b200": Facts(
        "NVIDIA",
        (180 * _GB, "T HGX B200 has 8 x 180 GB: server-parts.eu, and 179 seen by docs.vultr.com"),
        (1_000, "T docs.vultr.com, HGX B200, 2026-03"),
        (8, "T 8 through NVSwitch 5: docs.vultr.com, 2026-03"),
    ),
    "gb200": Facts(
        "NVIDIA",
        (186 * _GB, "= 13.4 TB a rack of 72: NVIDIA, as cited by aiwiki.ai, 2026-06"),
        (1_200, "S configured to 1,200 W: glennklockwood.com/garden/processors/B200"),
        (72, "T NVL72 is one NVLink domain of 72: aiwiki.ai, 2026-06"),
    ),
    "mi300x": Facts(
        "AMD",
        (192 * _GB, _MI300X),
        (750, _MI300X),
        (8, f"{_MI300X}: 8 a node by xGMI"),
    ),
    "mtia-v1": Facts(
        "Meta",
        (64 * _GB, "= half of v2's: medianama.com, 2024-04, says that v2 doubled it"),
        (25, _MTIA_2024),
        _NOT_FOUND,
    ),
    "mtia-v2": Facts(
        "Meta",
        (128 * _GB, f"{_MTIA_2024}; it reads 128 GB as a board's of two, others as a chip's"),
        (90, _MTIA_2024),
        (24, "S 12 boards of 2 a chassis, 3 chassis a rack of 72: servethehome.com, 2024-04, "
             "as copied by vuink.com; techpowerup.com says 144 a rack"),
    ),
    "mtia-300": Facts("Meta", (216 * _GB, _MTIA_2026), (800, _MTIA_2026), _NOT_FOUND),
    "mtia-400": Facts("Meta", (288 * _GB, _MTIA_2026), (1_200, _MTIA_2026), (72, _MTIA_2026), True),
    "mtia-450": Facts("Meta", (288 * _GB, _MTIA_2026), (1_400, _MTIA_2026), _NOT_FOUND, True),
    "mtia-500": Facts(
        "Meta",
        (384 * _GB, f"{_MTIA_2026}: 384 to 512, this is the least"),
        (1_700, _MTIA_2026),
        _NOT_FOUND,
        True,
    ),
    "tpu-v5e": Facts("Google", (16 * _GB, f"{_TPU}/v5e"), _NOT_FOUND, (256, f"{_TPU}/v5e")),
    "tpu-v5p": Facts(
        "Google",
        (95 * _GB, f"{_TPU}/v5p"),
        _NOT_FOUND,
        (8_960, f"{_TPU}/v5p; the largest job is 6,144"),
    ),
    "tpu-v6e": Facts("Google", (32 * _GB, f"{_TPU}/v6e"), _NOT_FOUND, (256, f"{_TPU}/v6e")),
    "trainium1": Facts(
        "AWS",
        (32 * _GIB, f"{_NEURON}, Trainium architecture"),
        _NOT_FOUND,
        (16, f"{_NEURON}, Trn1 architecture: 16 by NeuronLink-v2 in a trn1.32xlarge"),
    ),
    "trainium2": Facts(
        "AWS",
        (96 * _GIB, f"{_NEURON}, Trainium2 architecture guide"),
        _NOT_FOUND,
        _NOT_FOUND,
    ),
}  # fmt: skip
