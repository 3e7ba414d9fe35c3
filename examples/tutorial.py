"""The PyTorch tutorial's network, from a spec: forward, loss, gradients, and two ways to update the weights."""

from pathlib import Path

import torch
from torch import nn, optim

import netspec

SPEC = Path(__file__).parent.parent / "specs" / "tutorial.yaml"


def main() -> None:
    torch.manual_seed(0)
    net = netspec.load(SPEC).build()
    print(net)
    print(len(list(net.parameters())), "parameter tensors, the first", list(net.conv1.weight.shape))

    image = torch.randn(1, 1, 32, 32)
    output = net(image)
    print("output", list(output.shape))

    net.zero_grad()
    output.backward(torch.randn(1, 10))

    target = torch.randn(10).view(1, -1)  # the same shape as the output
    criterion = nn.MSELoss()
    loss = criterion(net(image), target)
    print("loss", round(loss.item(), 4))

    net.zero_grad()
    loss.backward()
    with torch.no_grad():  # weight = weight - learning_rate * gradient
        for parameter in net.parameters():
            parameter -= 0.01 * parameter.grad

    optimizer = optim.SGD(net.parameters(), lr=0.01)
    optimizer.zero_grad()
    loss = criterion(net(image), target)
    loss.backward()
    optimizer.step()
    print("loss", round(loss.item(), 4), "after one update")


if __name__ == "__main__":
    main()
