"""the scaler's own state_dict is shown, which is empty when disabled and names the tracker otherwise."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def get_scaler_state(self):
        return self.scaler.state_dict()
