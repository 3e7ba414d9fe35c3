"""Words of one's own: a layer, a loss, a metric and a source of data from a plugin, trained and exported."""

from pathlib import Path
from tempfile import TemporaryDirectory

import netspec
from netspec import plugins

HERE = Path(__file__).parent / "plugins"


def main() -> None:
    plugins.load(str(HERE / "gates.py"))  # on the command line: --plugin examples/plugins/gates.py
    spec = netspec.load(HERE / "gated.yaml")
    print(spec.source())
    with TemporaryDirectory() as name:
        trained = spec.train(Path(name) / "run")
        print("within 1 of the frequency", trained.history.records[-1]["val.within"])
        report = spec.export(Path(name) / "gated.onnx", trained.module)
        print("largest difference of the exported file", report.absolute)


if __name__ == "__main__":
    main()
