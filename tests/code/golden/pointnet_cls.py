"""PointNetCls: 3 x N in, 40, 3 x 3, 64 x 64 out, 3,471,473 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Stn(nn.Module):
    def __init__(self, in_channels, k):
        super().__init__()
        self.k = k
        self.conv1 = nn.Conv1d(in_channels, 64, 1)
        self.conv2 = nn.Conv1d(64, 128, 1)
        self.conv3 = nn.Conv1d(128, 1024, 1)
        self.fc1 = nn.Linear(1024, 512)
        self.fc2 = nn.Linear(512, 256)
        self.fc3 = nn.Linear(256, k * k)
        self.bn1 = nn.BatchNorm1d(64)
        self.bn2 = nn.BatchNorm1d(128)
        self.bn3 = nn.BatchNorm1d(1024)
        self.bn4 = nn.BatchNorm1d(512)
        self.bn5 = nn.BatchNorm1d(256)

    def forward(self, x):  # in_channels x N
        out = self.conv1(x)  # 64 x N
        out = F.relu(self.bn1(out))  # 64 x N
        out = self.conv2(out)  # 128 x N
        out = F.relu(self.bn2(out))  # 128 x N
        out = self.conv3(out)  # 1024 x N
        out = F.relu(self.bn3(out)).amax(2)  # 1024
        out = self.fc1(out)  # 512
        out = F.relu(self.bn4(out))  # 512
        out = self.fc2(out)  # 256
        bn5 = F.relu(self.bn5(out))  # 256
        eye = torch.eye(self.k, dtype=next(self.parameters()).dtype, device=x.device)  # k x k
        x = self.fc3(bn5)  # k*k
        return x.reshape(x.shape[0], self.k, self.k) + eye  # k x k


class Feat(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.stn = Stn(in_channels, 3)
        self.conv1 = nn.Conv1d(3, 64, 1)
        self.conv2 = nn.Conv1d(64, 128, 1)
        self.conv3 = nn.Conv1d(128, 1024, 1)
        self.bn1 = nn.BatchNorm1d(64)
        self.bn2 = nn.BatchNorm1d(128)
        self.bn3 = nn.BatchNorm1d(1024)
        self.fstn = Stn(64, 64)

    def forward(self, x):  # in_channels x N
        stn = self.stn(x)  # 3 x 3
        x = self.conv1((x.transpose(1, 2) @ stn).transpose(1, 2))  # 64 x N
        bn1 = F.relu(self.bn1(x))  # 64 x N
        fstn = self.fstn(bn1)  # 64 x 64
        x = self.conv2((bn1.transpose(1, 2) @ fstn).transpose(1, 2))  # 128 x N
        x = F.relu(self.bn2(x))  # 128 x N
        x = self.conv3(x)  # 1024 x N
        x = self.bn3(x).amax(2)  # 1024
        return x, stn, fstn


class PointNetCls(nn.Module):
    def __init__(self, classes=40):
        super().__init__()
        self.feat = Feat(3)
        self.fc1 = nn.Linear(1024, 512)
        self.fc2 = nn.Linear(512, 256)
        self.fc3 = nn.Linear(256, classes)
        self.bn1 = nn.BatchNorm1d(512)
        self.bn2 = nn.BatchNorm1d(256)

    def forward(self, x):  # 3 x N
        x, trans, trans_feat = self.feat(x)  # 1024
        x = self.fc1(x)  # 512
        x = F.relu(self.bn1(x))  # 512
        x = F.dropout(self.fc2(x), 0.3, self.training)  # 256
        x = F.relu(self.bn2(x))  # 256
        x = F.log_softmax(self.fc3(x), dim=1)  # classes
        return {"log_probs": x, "trans": trans, "trans_feat": trans_feat}
