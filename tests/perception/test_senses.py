"""A model with senses is one file: joined, opened, and asked about pictures, sound and text together."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from pollux.base.checkpoint import save_weights
from pollux.base.errors import CheckpointError
from pollux.base.weights import initial
from pollux.engine.engine import Engine
from pollux.engine.request import Sampling
from pollux.media.decode import Senses, read
from pollux.media.senses import RATE
from pollux.media.transcript import CODES, SIGHTS, Transcript
from pollux.model.sizes import family
from pollux.model.transformer import weight_table
from pollux.perception.audio.net import Ear, table
from pollux.perception.codes import codes_table
from pollux.perception.senses import join
from pollux.perception.vision.finder import finder_table
from pollux.perception.vision.letters import letters_table
from pollux.perception.vision.trunk import TrunkConfig, trunk_table

EAR, TRUNK = Ear(width=8, hidden=8, blocks=2, coded=1, taps=3, told=8), TrunkConfig((8, 12, 16, 16), (1, 1, 1, 1))
SIGHT = {"trunk": trunk_table(TRUNK), "codes": codes_table(16), "finder": finder_table(TRUNK), "letters": letters_table()}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Files of a model that knows codes, of one that does not, of sight and of hearing; all weights are random."""
    folder, tiny = tmp_path_factory.mktemp("parts"), replace(family()["tiny"], vocab_size=8192)
    for name, config in (("model", replace(tiny, codes=CODES)), ("plain", tiny)):
        save_weights(folder / f"{name}.safetensors", initial(weight_table(config), 0), {"model": asdict(config)})
    save_weights(folder / "sight.safetensors", initial(SIGHT, 0), {"kind": "sight"})
    save_weights(folder / "hearing.safetensors", initial(table(EAR), 0), {"ear": asdict(EAR)})
    return folder


def joined(parts, model):
    out = parts / "out" / f"{model}.safetensors"
    join(*(parts / f"{name}.safetensors" for name in (model, "sight", "hearing")), out)
    return out


def test_one_file_holds_a_model_and_its_senses(parts, tmp_path):
    from PIL import Image

    soundfile = pytest.importorskip("soundfile")
    path = joined(parts, "model")
    engine = Engine.load(path)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(256, size=(64, 96, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    soundfile.write(tmp_path / "b.wav", 0.1 * rng.normal(size=3 * RATE), RATE)
    (tmp_path / "c.txt").write_text("The ferry costs 40917 francs.\n")
    found = read([tmp_path / name for name in ("a.png", "b.wav", "c.txt")], senses=Senses())
    told = []
    documents = engine.perception.documents(found.documents, tell=told.append)
    picture, sound = (document.segments[0] for document in documents[:2])
    assert not told and isinstance(picture, Transcript) and isinstance(sound, Transcript)
    assert (picture.codes >= 0).sum() == 3 * 4 and picture.codes.max() < SIGHTS  # enlarged to 128 pixels across
    assert (sound.codes >= SIGHTS).sum() == 3 * 25 and sound.codes.max() < CODES and sound.text.startswith("00:00\n")
    context = engine.read(documents)
    (answer,) = engine.answer(context, ["What does the ferry cost?"], Sampling(limit=4))
    assert len(answer.tokens) and max(answer.tokens) < 8192
    assert {segment.path.rpartition("/")[2] for segment in context.segments} == {"a.png", "b.wav", "c.txt"}


def test_what_does_not_belong_together_is_not_joined(parts):
    with pytest.raises(CheckpointError, match="no codes"):
        joined(parts, "plain")
    with pytest.raises(CheckpointError, match="holds no sight"):
        join(*(parts / f"{name}.safetensors" for name in ("model", "hearing", "sight")), parts / "x.safetensors")
    assert Engine.load(parts / "plain.safetensors").perception is None
