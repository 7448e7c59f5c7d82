"""Figures of the project page, set beside ours: never compared where the scale is another."""

TABLE_1 = {"Real images": 11.237, "DCGAN": 6.581, "Multi-grid": 6.565}  # Inception, CIFAR-10

# error in % with 1,000, 2,000, 4,000 labels of SVHN
TABLE_2 = {  # L2-SVM
    "pcd": (45.74, 39.47, 34.18), "cd1": (44.38, 35.87, 30.45), "wgan": (43.15, 38.00, 32.56),
    "dcgan": (38.59, 32.51, 29.37), "single_grid": (36.69, 30.87, 25.60),
    "multigrid": (30.23, 26.54, 22.83), "ddgm": (44.99, 34.26, 27.44),
}  # fmt: skip
TABLE_3 = {  # CNN; systems that learn from labels by themselves
    "dcgan": (38.59, 32.51, 29.37), "supervised": (39.04, 22.26, 15.24),
    "multigrid": (19.73, 15.86, 12.71), "ddgm": (44.99, 34.26, 27.44),
    "dgn": (36.02, None, None), "vat": (24.63, None, None), "adgm": (22.86, None, None),
}  # fmt: skip

# CelebA, by mask: square, doodle, pepper-and-salt
TABLE_4 = {
    "error": {
        "pcd": (0.056, 0.055, 0.069), "cd1": (0.081, 0.078, 0.084),
        "single_grid": (0.066, 0.055, 0.054), "context_encoder": (0.045, 0.050, 0.060),
        "multigrid": (0.042, 0.045, 0.036),
    },
    "PSNR": {
        "pcd": (12.81, 12.92, 14.93), "cd1": (12.66, 12.68, 15.00),
        "single_grid": (15.97, 14.79, 15.36), "context_encoder": (17.37, 15.40, 17.04),
        "multigrid": (16.42, 16.98, 19.34),
    },
}  # fmt: skip
