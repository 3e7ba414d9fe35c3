"""VAE: 1 x 28 x 28 in, 784, 20, 20 out, 652,824 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 400)
        self.fc21 = nn.Linear(400, 20)
        self.fc22 = nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def forward(self, x):  # 1 x 28 x 28
        fc1 = F.relu(self.fc1(torch.flatten(x, 1)))  # 400
        fc21 = self.fc21(fc1)  # 20
        fc22 = self.fc22(fc1)  # 20
        noise = torch.randn_like(fc22)  # 20
        spread = torch.exp(fc22 * 0.5) * noise  # 20
        x = fc21 + spread if self.training else fc21  # 20
        x = F.relu(self.fc3(x))  # 400
        x = torch.sigmoid(self.fc4(x))  # 784
        return {"recon": x, "mu": fc21, "logvar": fc22}
