"""The options' descriptions: in the reference page, and in the JSON schemas for editors."""

import json
import re

import jsonschema
import yaml
from places import ROOT
from sample_options import OPTION_FILES, soccer_lq

from realesrgan_paddle.options.reading import describe_options
from realesrgan_paddle.options.reading.describe_options import (
    editor_schemas,
    options_page,
)
from realesrgan_paddle.options.reading.load import dump_config, load_config
from realesrgan_paddle.options.reading.read_yaml import parse_yaml, read_yaml
from realesrgan_paddle.options.reading.sections import sections
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import LQConfig

SHIPPED = sorted((ROOT / "options").glob("*.yml"))
SCHEMAS = {
    path.name: json.loads(path.read_text(encoding="utf-8"))
    for path in (ROOT / "options").glob("*.schema.json")
}
EDITOR_LINE = re.compile(r"# yaml-language-server: \$schema=\./(\S+)")
WRITE_ANEW = "run: python -m realesrgan_paddle describe_options"
LONGEST_TOOLTIP = 250


def problems(options, schema="train.schema.json"):
    """Return what a schema finds wrong with options, as "place: message"."""
    checker = jsonschema.Draft7Validator(SCHEMAS[schema])
    return [f"{e.json_path}: {e.message}" for e in checker.iter_errors(options)]


def described_keys():
    for model in (Config, LQConfig):
        for section in sections(model):
            for key, schema in section.keys.items():
                yield section.dotted(key), schema.get("description", "")


def test_every_key_has_a_description_that_fits_a_tooltip():
    for key, description in described_keys():
        assert description.endswith("."), f"{key}: {description!r}"
        assert len(description) <= LONGEST_TOOLTIP, f"{key}: {len(description)}"
        assert "|" not in description, f"{key}: it would end the cell of a table"


def test_the_reference_page_is_current():
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert page == options_page(), WRITE_ANEW
    assert re.search(r"\| `total_iter` \|  \| integer >= 1 \|", page)


def test_the_schemas_are_current():
    for name, text in editor_schemas().items():
        shipped = (ROOT / "options" / name).read_text(encoding="utf-8")
        assert shipped == text, WRITE_ANEW


def test_the_command_writes_the_page_and_the_schemas(tmp_path, capsys):
    page = tmp_path / "options.md"
    assert (
        describe_options.main(["--output", str(page), "--schemas", str(tmp_path)]) == 0
    )
    assert page.read_text(encoding="utf-8") == options_page()
    for name, text in editor_schemas().items():
        assert (tmp_path / name).read_text(encoding="utf-8") == text
    assert capsys.readouterr().out.count("wrote ") == 3


def test_schemas_are_valid_and_describe_every_key():
    for schema in SCHEMAS.values():
        jsonschema.Draft7Validator.check_schema(schema)
        for section in (schema, *schema.get("definitions", {}).values()):
            for key, value in section["properties"].items():
                assert value.get("description"), key


def test_shipped_files_name_their_schema_and_pass_it():
    for path in SHIPPED:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        schema = EDITOR_LINE.fullmatch(first)[1]
        assert schema.startswith("generate_lq") == path.name.startswith("generate_lq")
        assert problems(read_yaml(path), schema) == [], path


def test_other_projects_files_and_what_a_run_saves_pass(tmp_path):
    for name, options in OPTION_FILES.items():
        text = yaml.safe_dump(options)
        (tmp_path / "run.yml").write_text(text)
        saved = dump_config(load_config(tmp_path / "run.yml"))
        assert problems(parse_yaml(text, name)) == [], name
        assert problems(parse_yaml(saved, name)) == [], name
    assert problems(soccer_lq(), "generate_lq.schema.json") == []


# A change to the options of Real-ESRGAN -> where the schema must find it wrong.
WRONG = {
    "totl_iter=3": "$: Additional properties are not allowed ('totl_iter'",
    "ignored={}": "$: Additional properties are not allowed ('ignored'",
    "name=2024": "$.name: ",
    "name=../up": "$.name: ",
    "scale=3": "$.scale: 3 is not one of [1, 2, 4]",
    "gt_size=100": "$.gt_size: 100 is not a multiple of 8",
    "resize_prob=[0.5, 0.5]": "$.resize_prob: [0.5, 0.5] is too short",
    "resize_prob=[1, 0, 0, 0]": "$.resize_prob: ",
    "jpeg_range=[30, 101]": "$.jpeg_range[1]: 101 is greater than the maximum of 100",
    "gray_noise_prob=true": "$.gray_noise_prob: True is not of type 'number'",
    "l1_gt_usm=maybe": "$.l1_gt_usm: 'maybe' is not of type 'boolean'",
    "model_type=ESRGANModel": "$.model_type: ",
    "datasets.valid={}": "$.datasets: ",
    "datasets.train.blur_kernel_size=20": "$.datasets.train.blur_kernel_size: ",
    "datasets.train.kernel_list=[box]": "$.datasets.train.kernel_list[0]: ",
    "datasets.train.gt_size=100": "$.datasets.train.gt_size: ",
    "datasets.train.dataroot_gt=": "$.datasets.train.dataroot_gt: ",
    "datasets.val_2={type: PairedImageDataset}": "$.datasets.val_2: 'dataroot_lq'",
    "network_g.num_blocks=6": "$.network_g: ",
    "network_g.type=SwinIR": "$.network_g: ",
    "train.scheduler.type=StepLR": "$.train.scheduler: ",
    "train.optim_g.lr=0": "$.train.optim_g.lr: ",
    "train.optim_g.beta1=1": "$.train.optim_g.beta1: ",
    "train.net_d_init_until=0.5": "$.train.net_d_init_until: ",
    "train.perceptual_opt.layer_weights={conv9_9: 1}": "$.train.perceptual_opt",
    "val.metrics.musiq={type: calculate_musiq}": "$.val: ",
}


def test_a_wrong_key_or_value_fails():
    for change, expected in WRONG.items():
        options = json.loads(json.dumps(OPTION_FILES["realesrgan"]))  # nothing shared
        key, _, value = change.partition("=")
        *parents, last = key.split(".")
        section = options
        for name in parents:
            section = section.setdefault(name, {})
        section[last] = parse_yaml(value, change)
        (problem,) = problems(options)
        assert problem.startswith(expected), change
