"""CRNN: 1 x 32 x 100 in, 26 x B x 37 out, 8,331,301 parameters."""

import torch.nn.functional as F
from torch import nn


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0 = nn.Conv2d(1, 64, 3, padding=1)
        self.conv1 = nn.Conv2d(64, 128, 3, padding=1)
        self.conv2 = nn.Conv2d(128, 256, 3, padding=1)
        self.batchnorm2 = nn.BatchNorm2d(256)
        self.conv3 = nn.Conv2d(256, 256, 3, padding=1)
        self.conv4 = nn.Conv2d(256, 512, 3, padding=1)
        self.batchnorm4 = nn.BatchNorm2d(512)
        self.conv5 = nn.Conv2d(512, 512, 3, padding=1)
        self.conv6 = nn.Conv2d(512, 512, 2)
        self.batchnorm6 = nn.BatchNorm2d(512)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv0(x)), 2)  # 64 x 16 x 50
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # 128 x 8 x 25
        x = self.conv2(x)  # 256 x 8 x 25
        x = F.relu(self.batchnorm2(x))  # 256 x 8 x 25
        x = F.max_pool2d(F.relu(self.conv3(x)), 2, stride=(2, 1), padding=(0, 1))  # 256 x 4 x 26
        x = self.conv4(x)  # 512 x 4 x 26
        x = F.relu(self.batchnorm4(x))  # 512 x 4 x 26
        x = F.max_pool2d(F.relu(self.conv5(x)), 2, stride=(2, 1), padding=(0, 1))  # 512 x 2 x 27
        x = self.conv6(x)  # 512 x 1 x 26
        return F.relu(self.batchnorm6(x))  # 512 x 1 x 26


class Bilstm(nn.Module):
    def __init__(self, in_features, out, hidden):
        super().__init__()
        self.rnn = nn.LSTM(in_features, hidden, bidirectional=True)
        self.embedding = nn.Linear(2 * hidden, out)

    def forward(self, x):  # 26 x B x in_features
        output, _ = self.rnn(x)  # 26 x B x 2*hidden
        return self.embedding(output)  # 26 x B x out


class CRNN(nn.Module):
    def __init__(self, hidden=256, classes=37):
        super().__init__()
        self.cnn = Cnn()
        self.rnn = nn.Sequential(Bilstm(512, hidden, hidden), Bilstm(hidden, classes, hidden))

    def forward(self, x):  # 1 x 32 x 100
        x = self.cnn(x)  # 512 x 1 x 26
        x = x.squeeze(2).permute(2, 0, 1)  # 26 x B x 512
        return self.rnn(x)  # 26 x B x classes
