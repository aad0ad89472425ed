"""`scaler` is a property with a setter."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @property
    def scaler(self):
        return self._scaler

    @scaler.setter
    def scaler(self, scaler):
        self._scaler = scaler
