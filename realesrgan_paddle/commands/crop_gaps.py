"""What commands that cut sub-images say of a step that leaves pixels out."""


def gap_lines(crop_size: int, step: int) -> list[str]:
    """Return a line if sub-images are further apart than they are wide."""
    if step <= crop_size:
        return []
    return [
        f"the step of {step} leaves {step - crop_size} pixels between sub-images of "
        f"{crop_size}: --step {max(1, crop_size // 2)} makes them overlap"
    ]
