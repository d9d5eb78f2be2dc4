"""The schedules that record_schedules.py records and test_schedule.py checks."""

ITERATIONS = 60
BASES = (1e-4, 4e-4)
"""Initial learning rates of two parameter groups."""
SCHEDULES = {
    "multistep": {"type": "MultiStepLR", "milestones": [10, 25, 26], "gamma": 0.5},
    "multistep_restart": {
        "type": "MultiStepRestartLR",
        "milestones": [10, 20, 30, 45, 50],
        "gamma": 0.3,
        "restarts": [0, 30, 40],
        "restart_weights": [1, 0.5, 0.25],
    },
    "late_restart": {
        "type": "MultiStepRestartLR",
        "milestones": [5, 35],
        "gamma": 0.1,
        "restarts": [20],
        "restart_weights": [2],
    },
    "cosine_restart": {
        "type": "CosineAnnealingRestartLR",
        "periods": [10, 20, 31],
        "restart_weights": [1, 0.5, 0.7],
        "eta_min": 1e-5,
    },
    "cosine": {"type": "CosineAnnealingLR", "T_max": 40, "eta_min": 2e-5},
}
WARM_UP = 7
