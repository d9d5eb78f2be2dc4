"""A process that times the same networks in torch; see gpu_check.py and gpu_paddle.py."""

import copy
import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import torch
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet
from step_torch import UNetDiscriminator, gan_loss
from torch.nn import functional as F

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def seconds_of(run: Callable[[], object], rounds: int) -> float:
    """Return the mean time of a run [s], after two that are not counted."""
    wait = torch.cuda.synchronize if DEVICE == "cuda" else lambda: None
    for _ in range(2):
        run()
    wait()
    start = time.perf_counter()
    for _ in range(rounds):
        run()
    wait()
    return (time.perf_counter() - start) / rounds


def trainer(job: dict, network: torch.nn.Module, autocast: Callable) -> Callable:
    """Return a GAN step: L1 and GAN losses, two Adams, EMA."""
    last = {"device": DEVICE, "memory_format": torch.channels_last}
    discriminator = UNetDiscriminator().to(**last)
    average = copy.deepcopy(network).requires_grad_(False)
    adam_g = torch.optim.Adam(network.parameters(), lr=1e-4)
    adam_d = torch.optim.Adam(discriminator.parameters(), lr=1e-4)
    scaler = torch.amp.GradScaler(DEVICE, enabled=job["precision"] == "float16")
    gt = torch.rand(job["batch"], 3, 4 * job["side"], 4 * job["side"]).to(**last)
    lq = F.avg_pool2d(gt, 4)

    def step() -> None:
        discriminator.requires_grad_(False)
        adam_g.zero_grad()
        with autocast():
            sr = network(lq)
            loss = F.l1_loss(sr.float(), gt) + 0.1 * gan_loss(discriminator(sr), True)
        scaler.scale(loss).backward()
        scaler.step(adam_g)

        discriminator.requires_grad_(True)
        adam_d.zero_grad()
        for images, real in ((gt, True), (sr.detach(), False)):
            with autocast():
                loss = gan_loss(discriminator(images), real)
            scaler.scale(loss).backward()
        scaler.step(adam_d)
        scaler.update()

        parameters = zip(average.parameters(), network.parameters(), strict=True)
        with torch.no_grad():
            for mean, current in parameters:
                mean.lerp_(current, 0.001)

    return step


def main() -> None:
    """Do the job of the command line."""
    job = json.loads(sys.argv[1])
    torch.backends.cudnn.benchmark = True
    last = {"device": DEVICE, "memory_format": torch.channels_last}
    network = RRDBNet(
        in_nc=3, out_nc=3, num_filters=64, num_blocks=job["blocks"], scale=4
    ).to(**last)
    autocast: Callable = nullcontext
    if job["precision"] != "float32":
        autocast = partial(torch.autocast, DEVICE, getattr(torch, job["precision"]))

    if job["kind"] == "train":
        run = trainer(job, network, autocast)
    else:
        x = torch.rand(job["batch"], 3, job["side"], job["side"]).to(**last)

        def run() -> None:
            with torch.no_grad(), autocast():
                network(x)

    seconds = seconds_of(run, job["rounds"])
    print(json.dumps({"images/s": job["batch"] / seconds, "ms": 1000 * seconds}))


if __name__ == "__main__":
    main()
