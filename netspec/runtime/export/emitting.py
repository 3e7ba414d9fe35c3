"""What a network of torch is written from where its graph says all: the graph, and its weights as plain arrays."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from netspec.errors import ExportFailed
from netspec.runtime.data.scale import InOwnUnits
from netspec.runtime.export.emission import Emission, End
from netspec.runtime.export.subject import Subject
from netspec.runtime.network.remove_parametrizations import unwrapped


def emission_of(subject: Subject, what: str) -> Emission:
    """A subject as its graph, its weights and what is put behind. Raises ExportFailed where it has no graph."""
    if subject.graph is None:
        raise ExportFailed(f"{what} is written from a spec, and this network was made without one")
    network = subject.network
    plain = unwrapped(network.network if isinstance(network, InOwnUnits) else network)
    owned = chain(plain.named_parameters(remove_duplicate=False), plain.named_buffers(remove_duplicate=False))
    weights = {name: tensor.detach().numpy() for name, tensor in owned}
    return Emission(subject.graph, weights, subject.outputs, ends_of(subject), metadata=subject.metadata)


def ends_of(subject: Subject) -> dict[int, End]:
    """What is done to outputs of the network itself, by their places."""
    network, ends = subject.network, dict[int, End]()
    if isinstance(network, InOwnUnits):
        scales = {place: network.scale(place) for place in network.places}
        ends = {place: End(scale.mean.numpy(), scale.deviation.numpy()) for place, scale in scales.items()}
    for place, end in subject.ends.items():
        if end.activation != "identity":
            ends[place] = replace(ends.get(place, End()), activation=end.activation, axis=end.axis)
    return ends
