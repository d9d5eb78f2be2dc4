"""The section `datasets`: images to train and to validate on."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.options.schema.degradation import KernelOptions
from realesrgan_paddle.utils.field_types import (
    BatchSize,
    Count,
    Enlargement,
    FolderName,
    Natural,
    Options,
    Share,
    Text,
    Workers,
)

TRAINING_SETS = ("train", "train_paired")


class IOBackend(Options):
    """Where images are read from."""

    type: Literal["disk"] = Field(
        default="disk", description="Plain files; the only type."
    )


class ImageOptions(Options):
    """How training images are read."""

    dataroot_gt: Text = Field(
        description="Folder of the ground-truth images, or of tar shards of them, or a "
        "URL of either such as s3://bucket/hr (docs/scale.md). Cut large frames into "
        "sub-images first (tools/extract_subimages.py): whole frames are slow to "
        "decode."
    )
    meta_info: Text | None = Field(
        default=None,
        description="Text file with one image per line, relative to dataroot_gt "
        "(pairs: `gt.png, lq.png`). null takes every image of the folder.",
    )
    io_backend: IOBackend = Field(
        default=IOBackend(), description="Kept for BasicSR's files; only disk is known."
    )
    use_hflip: bool = Field(
        default=True,
        description="Mirror images left to right at random. Keep true, unless the "
        "footage has lettering that must stay readable.",
    )
    use_rot: bool = Field(
        default=False,
        description="Also flip upside down and transpose at random. Set true for "
        "textures without an up and a down, such as aerial images.",
    )
    crop_candidates: Annotated[Count, Field(le=64)] = Field(
        default=1,
        description="Crops that are drawn of an image, of which the one with most detail "
        "is trained on. 1 takes any, as Real-ESRGAN does; 4 is crisper after minutes, "
        "often at a cost in PSNR (docs/domain_gain).",
    )
    use_shuffle: bool = Field(
        default=True,
        description="Draw the images in random order. Keep true: neighboring frames "
        "look alike.",
    )
    num_worker_per_gpu: Workers = Field(
        default=5,
        description="Processes that read images; 0 reads in the training process. "
        "Raise it if the log's `data wait` is high; 1 is enough on 2 CPU cores.",
    )
    dataset_enlarge_ratio: Enlargement = Field(
        default=1,
        description="Passes over the images that count as one epoch. Keep 1: nothing "
        "but the shuffling depends on epochs.",
    )


class TrainDataset(KernelOptions, ImageOptions):
    """Training images: where they are, how they are read, and their blur kernels."""

    name: Text = Field(default="train", description="Name in the log.")
    type: Literal["RealESRGANDataset", "RealESRGANPairedDataset"] = Field(
        description="RealESRGANDataset degrades the ground truth anew in every "
        "iteration; RealESRGANPairedDataset reads the low-quality images of "
        "dataroot_lq."
    )
    dataroot_lq: Text | None = Field(
        default=None,
        description="Folder of the low-quality images, or shards or a URL, as "
        "dataroot_gt; RealESRGANPairedDataset only.",
    )
    batch_size_per_gpu: BatchSize = Field(
        default=12,
        description="Crops in a batch. Real-ESRGAN: 12 on each of 4 GPUs; on a CPU 4 "
        "to 6. Lower it first if memory runs out.",
    )
    accum_iter: BatchSize = Field(
        default=1,
        description="Batches whose gradients are accumulated for one update. Raise it "
        "to train with larger batches than memory holds; time grows with it.",
    )
    slices: BatchSize | None = Field(
        default=None,
        description="Parts of the batch of all processes that have a degradation and a "
        "pair pool of their own, as each GPU's part has in Real-ESRGAN; null: one for "
        "each process. With 4, one process trains as 4 GPUs with a quarter of its "
        "batch_size_per_gpu.",
    )
    num_frame: Annotated[Count, Field(le=100)] = Field(
        default=1,
        description="Frames of a training clip; above 1 the images are consecutive "
        "frames in the order of their names, a folder for each clip, and a batch is of "
        "clips. For RecurrentSRVGG: 5 to 15.",
    )
    interval_list: Annotated[list[Count], Field(min_length=1)] = Field(
        default=[1],
        description="Steps from one frame of a clip to the next, one of which is drawn. "
        "[1, 2, 3] shows faster motion than the footage has.",
    )
    random_reverse: bool = Field(
        default=False, description="Play half of the clips backwards."
    )
    max_bad_images: Natural = Field(
        default=10,
        description="How many images may become unreadable during a run; each is "
        "named in the log and replaced by the next one. 0 stops the run at the first.",
    )


class TrainPairedDataset(ImageOptions):
    """Your own pairs, mixed with the synthesized ones of datasets.train."""

    name: Text = Field(default="pairs", description="Name in the log.")
    type: Literal["RealESRGANPairedDataset"] = Field(
        default="RealESRGANPairedDataset", description="Pairs of images; the only type."
    )
    dataroot_lq: Text = Field(
        description="Folder of the low-quality images, or shards or a URL, aligned to "
        "the pixel with dataroot_gt."
    )
    share: Share = Field(
        default=0.25,
        description="Share of the batches made of pairs: 0.25 is every fourth. Raise "
        "it if the pairs cover all that your footage suffers, lower it if they are "
        "few.",
    )
    num_worker_per_gpu: Workers = Field(
        default=1,
        description="Processes that read pairs, besides those of datasets.train.",
    )


class ValDataset(Options):
    """A section `datasets.val`, `datasets.val_2`, ...: images to validate on."""

    name: FolderName = Field(
        default="validation",
        description="Name in the log and of the folder of saved images; each set needs "
        "its own.",
    )
    type: Literal["PairedImageDataset", "SingleImageDataset"] = Field(
        description="PairedImageDataset has a ground truth for the metrics; "
        "SingleImageDataset is low-quality images only, such as real footage."
    )
    dataroot_gt: Text | None = Field(
        default=None,
        description="Folder of the ground-truth images, or shards or a URL "
        "(docs/scale.md); PairedImageDataset only.",
    )
    dataroot_lq: Text = Field(
        description="Folder of the low-quality images, or shards or a URL, of footage "
        "that is not trained on; make_lq_data.py makes them from ground truth."
    )
    meta_info: Text | None = Field(
        default=None,
        description="Text file with one pair per line; null takes every image.",
    )
    io_backend: IOBackend = Field(
        default=IOBackend(), description="Kept for BasicSR's files; only disk is known."
    )

    @model_validator(mode="after")
    def _check_ground_truth(self) -> Self:
        paired = self.type == "PairedImageDataset"
        if paired != (self.dataroot_gt is not None):
            raise ValueError(
                "dataroot_gt belongs to PairedImageDataset, and only to it"
            )
        return self


class Datasets(Options):
    """The section `datasets`: `train`; if wanted `train_paired`, `val`, `val_2`, ..."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, ValDataset]

    train: TrainDataset = Field(description="Images to train on.")
    train_paired: TrainPairedDataset | None = Field(
        default=None,
        description="Your own pairs, mixed with what RealESRGANDataset synthesizes. "
        "Use it where pairs are few or show one kind of degradation only.",
    )

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, sections: object) -> object:
        if not isinstance(sections, dict):
            return sections
        for key in sections:
            if key not in TRAINING_SETS and key.split("_")[0] != "val":
                raise ValueError(
                    f"unknown key {key!r}, "
                    "expected train, train_paired, val, val_2, ..."
                )
        return sections

    @property
    def validation(self) -> dict[str, ValDataset]:
        """The validation sets by their keys."""
        return self.__pydantic_extra__
