"""The typed options: every option model is imported from here."""

from realesrgan_paddle.options.synthesis import BlurOptions, KernelOptions, LQConfig, PassOptions, SynthesisOptions

__all__ = ["BlurOptions", "KernelOptions", "LQConfig", "PassOptions", "SynthesisOptions"]
