"""Two networks, two optimisers: a generator learns to make points that a discriminator cannot tell from real ones."""

import torch
import torch.nn as nn
import torch.optim as optim

nz, batch_size = 4, 16


class Generator(nn.Module):
    def __init__(self):
        super(Generator, self).__init__()
        self.main = nn.Sequential(
            nn.Linear(nz, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(True), nn.Linear(16, 2), nn.Tanh()
        )

    def forward(self, input):
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self):
        super(Discriminator, self).__init__()
        self.main = nn.Sequential(
            nn.Linear(2, 16),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(16, 16),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(16, 1),
            nn.Sigmoid(),
        )

    def forward(self, input):
        return self.main(input).view(-1)


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Linear") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.2)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


def build():
    return nn.ModuleDict({"G": Generator().apply(weights_init), "D": Discriminator().apply(weights_init)})


def real_points(count):
    angle = 2 * torch.pi * torch.rand(count)
    return 0.8 * torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)


def train(model, iterations=20):
    netG, netD = model["G"], model["D"]
    criterion = nn.BCELoss()
    optimizerD = optim.Adam(netD.parameters(), lr=0.002, betas=(0.5, 0.999))
    optimizerG = optim.Adam(netG.parameters(), lr=0.002, betas=(0.5, 0.999))
    fixed_noise = torch.randn(8, nz)
    real_label, fake_label = 1.0, 0.0
    G_losses, D_losses, D_of_real = [], [], []
    for _ in range(iterations):
        # the discriminator: a batch of real points, one of generated points
        netD.zero_grad()
        real = real_points(batch_size)
        label = torch.full((batch_size,), real_label, dtype=torch.float)
        output = netD(real)
        errD_real = criterion(output, label)
        errD_real.backward()
        D_of_real.append(output.mean().item())

        noise = torch.randn(batch_size, nz)
        fake = netG(noise)
        label.fill_(fake_label)
        output = netD(fake.detach())
        errD_fake = criterion(output, label)
        errD_fake.backward()
        optimizerD.step()

        # the generator: what it made, through the discriminator as it is now
        netG.zero_grad()
        label.fill_(real_label)
        output = netD(fake)
        errG = criterion(output, label)
        errG.backward()
        optimizerG.step()
        D_losses.append((errD_real + errD_fake).item())
        G_losses.append(errG.item())
    netG.eval()
    with torch.no_grad():
        samples = netG(fixed_noise).detach().cpu()
    return G_losses + D_losses + D_of_real + samples.flatten().tolist()


if __name__ == "__main__":
    torch.manual_seed(0)
    history = train(build(), iterations=500)
    print(history[:3], history[497:500])
