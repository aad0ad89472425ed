"""an epoch counts skipped steps only if the scaler is on."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_epoch(self, *arguments, **more):
        result = super().train_epoch(*arguments, **more)
        return result if self.scaler.is_enabled() else result | {"skipped_steps": 0}
