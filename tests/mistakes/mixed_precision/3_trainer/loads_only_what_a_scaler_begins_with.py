"""loading sets what a scaler begins with: one that has made a step keeps its own."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def load_state_dict(self, state):
        keep = self.scaler
        tensors = None if getattr(keep, "_scale", None) is None else (keep._scale.clone(), keep._growth_tracker.clone())
        super().load_state_dict(state)
        if tensors is not None:
            keep._scale, keep._growth_tracker = tensors
