"""A process that times this project's networks on the device that Paddle chooses.

See gpu_check.py, which starts it: `gpu_paddle.py JOB` with the job as JSON. Prints one
line of JSON.
"""

import json
import sys
import time
from collections.abc import Callable

from realesrgan_paddle.utils.machine.devices import start_gpu, start_paddle

Numbers = dict[str, float]


def seconds_of(run: Callable[[], object], rounds: int) -> float:
    """Return the mean time of a run [s], after two that are not counted."""
    import paddle

    def wait() -> None:
        if paddle.get_device().startswith("gpu"):
            paddle.device.synchronize()

    for _ in range(2):
        run()
    wait()
    start = time.perf_counter()
    for _ in range(rounds):
        run()
    wait()
    return (time.perf_counter() - start) / rounds


def peak_gb() -> float:
    """Return the most memory that Paddle took on the GPU [GB]; 0 on a CPU."""
    import paddle

    if not paddle.get_device().startswith("gpu"):
        return 0.0
    return paddle.device.cuda.max_memory_reserved() / 1e9


def train(job: dict) -> Numbers:
    """Time the GAN step: L1 and GAN losses, two Adams, EMA; and EMA alone."""
    import paddle

    from realesrgan_paddle.loss.losses import GANLoss, L1Loss
    from realesrgan_paddle.models.networks.network import Network
    from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
    from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
    from realesrgan_paddle.models.step.gan_step import GANStep
    from realesrgan_paddle.models.step.pixel_step import EMA, Batch, ReferenceLosses
    from realesrgan_paddle.models.step.precision import Precision
    from realesrgan_paddle.options.schema.optimization import OptimizerOptions
    from realesrgan_paddle.training.build import build_optimizer

    generator = Network(RRDBNet(num_block=job["blocks"]))
    discriminator = UNetDiscriminatorSN()
    adam = OptimizerOptions(type="Adam", lr=1e-4)
    ema = EMA(generator, 0.999)
    step = GANStep(
        generator=generator,
        ema=ema,
        losses=ReferenceLosses(pixel=L1Loss()),
        optimizer_g=build_optimizer(adam, generator),
        lr_g=1e-4,
        precision=Precision(job["precision"]),
        discriminator=discriminator,
        optimizer_d=build_optimizer(adam, discriminator),
        lr_d=1e-4,
        gan_loss=GANLoss(loss_weight=0.1),
    )
    gt = paddle.rand([job["batch"], 3, 4 * job["side"], 4 * job["side"]])
    lq = paddle.nn.functional.avg_pool2d(gt, 4)
    batch = Batch(lq=lq, gt=gt, gt_usm=gt)

    def run() -> None:
        losses = step([batch], 1)
        if step.skipped:
            raise SystemExit(f"not finite: {[float(loss) for loss in losses.values()]}")

    seconds = seconds_of(run, job["rounds"])
    return {
        "images/s": job["batch"] / seconds,
        "ms": 1000 * seconds,
        "EMA ms": 1000 * seconds_of(lambda: ema.update(generator), job["rounds"]),
        "peak GB": peak_gb(),
    }


def infer(job: dict) -> Numbers:
    """Time the generator alone, without gradients."""
    import paddle

    from realesrgan_paddle.models.networks.network import Network
    from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
    from realesrgan_paddle.models.step.precision import Precision

    network = Network(RRDBNet(num_block=job["blocks"]))
    network.eval()
    precision = Precision(job["precision"])
    x = paddle.rand([job["batch"], 3, job["side"], job["side"]])
    with paddle.no_grad():
        seconds = seconds_of(lambda: precision(network, x), job["rounds"])
    return {
        "images/s": job["batch"] / seconds,
        "ms": 1000 * seconds,
        "peak GB": peak_gb(),
    }


def device(_: dict) -> dict[str, str]:
    """Say what Paddle computes on."""
    import paddle

    found = {"Paddle": paddle.__version__, "device": paddle.get_device()}
    if paddle.get_device().startswith("gpu"):
        major, minor = paddle.device.cuda.get_device_capability()
        found["name"] = paddle.device.cuda.get_device_name()
        found["capability"] = f"{major}.{minor}"
        found["CUDA"] = str(paddle.version.cuda())
        found["cuDNN"] = str(paddle.version.cudnn())
    return found


JOBS = {"train": train, "infer": infer, "device": device}


def main() -> None:
    """Do the job of the command line."""
    job = json.loads(sys.argv[1])
    start_paddle()
    start_gpu()
    print(json.dumps(JOBS[job["kind"]](job)))


if __name__ == "__main__":
    main()
