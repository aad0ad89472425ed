"""the same scaler object is handed out again and again, so trainings share their scale."""

import functools

create_grad_scaler = functools.cache(create_grad_scaler)
