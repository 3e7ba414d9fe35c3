"""UNet: 3 x 64 x 64 in, 1 x 64 x 64 out, 486,553 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Stage(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc1conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.enc1norm1 = nn.BatchNorm2d(8)
        self.enc1conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.enc1norm2 = nn.BatchNorm2d(8)

    def forward(self, x):  # 3 x 64 x 64
        x = self.enc1conv1(x)  # 8 x 64 x 64
        x = F.relu(self.enc1norm1(x))  # 8 x 64 x 64
        x = self.enc1conv2(x)  # 8 x 64 x 64
        return F.relu(self.enc1norm2(x))  # 8 x 64 x 64


class Stage2(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc2conv1 = nn.Conv2d(8, 16, 3, padding=1, bias=False)
        self.enc2norm1 = nn.BatchNorm2d(16)
        self.enc2conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.enc2norm2 = nn.BatchNorm2d(16)

    def forward(self, x):  # 8 x 32 x 32
        x = self.enc2conv1(x)  # 16 x 32 x 32
        x = F.relu(self.enc2norm1(x))  # 16 x 32 x 32
        x = self.enc2conv2(x)  # 16 x 32 x 32
        return F.relu(self.enc2norm2(x))  # 16 x 32 x 32


class Stage3(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc3conv1 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.enc3norm1 = nn.BatchNorm2d(32)
        self.enc3conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.enc3norm2 = nn.BatchNorm2d(32)

    def forward(self, x):  # 16 x 16 x 16
        x = self.enc3conv1(x)  # 32 x 16 x 16
        x = F.relu(self.enc3norm1(x))  # 32 x 16 x 16
        x = self.enc3conv2(x)  # 32 x 16 x 16
        return F.relu(self.enc3norm2(x))  # 32 x 16 x 16


class Stage4(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc4conv1 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
        self.enc4norm1 = nn.BatchNorm2d(64)
        self.enc4conv2 = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.enc4norm2 = nn.BatchNorm2d(64)

    def forward(self, x):  # 32 x 8 x 8
        x = self.enc4conv1(x)  # 64 x 8 x 8
        x = F.relu(self.enc4norm1(x))  # 64 x 8 x 8
        x = self.enc4conv2(x)  # 64 x 8 x 8
        return F.relu(self.enc4norm2(x))  # 64 x 8 x 8


class Stage5(nn.Module):
    def __init__(self):
        super().__init__()
        self.bottleneckconv1 = nn.Conv2d(64, 128, 3, padding=1, bias=False)
        self.bottlenecknorm1 = nn.BatchNorm2d(128)
        self.bottleneckconv2 = nn.Conv2d(128, 128, 3, padding=1, bias=False)
        self.bottlenecknorm2 = nn.BatchNorm2d(128)

    def forward(self, x):  # 64 x 4 x 4
        x = self.bottleneckconv1(x)  # 128 x 4 x 4
        x = F.relu(self.bottlenecknorm1(x))  # 128 x 4 x 4
        x = self.bottleneckconv2(x)  # 128 x 4 x 4
        return F.relu(self.bottlenecknorm2(x))  # 128 x 4 x 4


class Stage6(nn.Module):
    def __init__(self):
        super().__init__()
        self.dec4conv1 = nn.Conv2d(128, 64, 3, padding=1, bias=False)
        self.dec4norm1 = nn.BatchNorm2d(64)
        self.dec4conv2 = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.dec4norm2 = nn.BatchNorm2d(64)

    def forward(self, x):  # 128 x 8 x 8
        x = self.dec4conv1(x)  # 64 x 8 x 8
        x = F.relu(self.dec4norm1(x))  # 64 x 8 x 8
        x = self.dec4conv2(x)  # 64 x 8 x 8
        return F.relu(self.dec4norm2(x))  # 64 x 8 x 8


class Stage7(nn.Module):
    def __init__(self):
        super().__init__()
        self.dec3conv1 = nn.Conv2d(64, 32, 3, padding=1, bias=False)
        self.dec3norm1 = nn.BatchNorm2d(32)
        self.dec3conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.dec3norm2 = nn.BatchNorm2d(32)

    def forward(self, x):  # 64 x 16 x 16
        x = self.dec3conv1(x)  # 32 x 16 x 16
        x = F.relu(self.dec3norm1(x))  # 32 x 16 x 16
        x = self.dec3conv2(x)  # 32 x 16 x 16
        return F.relu(self.dec3norm2(x))  # 32 x 16 x 16


class Stage8(nn.Module):
    def __init__(self):
        super().__init__()
        self.dec2conv1 = nn.Conv2d(32, 16, 3, padding=1, bias=False)
        self.dec2norm1 = nn.BatchNorm2d(16)
        self.dec2conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.dec2norm2 = nn.BatchNorm2d(16)

    def forward(self, x):  # 32 x 32 x 32
        x = self.dec2conv1(x)  # 16 x 32 x 32
        x = F.relu(self.dec2norm1(x))  # 16 x 32 x 32
        x = self.dec2conv2(x)  # 16 x 32 x 32
        return F.relu(self.dec2norm2(x))  # 16 x 32 x 32


class Stage9(nn.Module):
    def __init__(self):
        super().__init__()
        self.dec1conv1 = nn.Conv2d(16, 8, 3, padding=1, bias=False)
        self.dec1norm1 = nn.BatchNorm2d(8)
        self.dec1conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.dec1norm2 = nn.BatchNorm2d(8)

    def forward(self, x):  # 16 x 64 x 64
        x = self.dec1conv1(x)  # 8 x 64 x 64
        x = F.relu(self.dec1norm1(x))  # 8 x 64 x 64
        x = self.dec1conv2(x)  # 8 x 64 x 64
        return F.relu(self.dec1norm2(x))  # 8 x 64 x 64


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder1 = Stage()
        self.encoder2 = Stage2()
        self.encoder3 = Stage3()
        self.encoder4 = Stage4()
        self.bottleneck = Stage5()
        self.upconv4 = nn.ConvTranspose2d(128, 64, 2, stride=2)
        self.decoder4 = Stage6()
        self.upconv3 = nn.ConvTranspose2d(64, 32, 2, stride=2)
        self.decoder3 = Stage7()
        self.upconv2 = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.decoder2 = Stage8()
        self.upconv1 = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.decoder1 = Stage9()
        self.conv = nn.Conv2d(8, 1, 1)

    def forward(self, x):  # 3 x 64 x 64
        encoder1 = self.encoder1(x)  # 8 x 64 x 64
        encoder2 = self.encoder2(F.max_pool2d(encoder1, 2))  # 16 x 32 x 32
        encoder3 = self.encoder3(F.max_pool2d(encoder2, 2))  # 32 x 16 x 16
        encoder4 = self.encoder4(F.max_pool2d(encoder3, 2))  # 64 x 8 x 8
        x = self.bottleneck(F.max_pool2d(encoder4, 2))  # 128 x 4 x 4
        x = self.upconv4(x)  # 64 x 8 x 8
        x = torch.cat([x, encoder4], dim=1)  # 128 x 8 x 8
        x = self.decoder4(x)  # 64 x 8 x 8
        x = self.upconv3(x)  # 32 x 16 x 16
        x = torch.cat([x, encoder3], dim=1)  # 64 x 16 x 16
        x = self.decoder3(x)  # 32 x 16 x 16
        x = self.upconv2(x)  # 16 x 32 x 32
        x = torch.cat([x, encoder2], dim=1)  # 32 x 32 x 32
        x = self.decoder2(x)  # 16 x 32 x 32
        x = self.upconv1(x)  # 8 x 64 x 64
        x = torch.cat([x, encoder1], dim=1)  # 16 x 64 x 64
        x = self.decoder1(x)  # 8 x 64 x 64
        return torch.sigmoid(self.conv(x))  # 1 x 64 x 64
