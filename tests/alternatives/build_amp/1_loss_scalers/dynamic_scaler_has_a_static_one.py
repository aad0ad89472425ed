"""the dynamic scaler is no subclass of the static one: it has one, and replaces it when the scale changes."""


class DynamicLossScaler:
    """Not a subclass: it has a scaler of its own, whose scale it sets."""

    def __init__(
        self,
        init_scale=65536.0,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        hysteresis=1,
        min_scale=None,
    ):
        good = [math.isfinite(init_scale) and init_scale > 0, math.isfinite(growth_factor) and growth_factor > 1]
        good += [0 < backoff_factor < 1, growth_interval >= 1, hysteresis >= 1]
        good += [min_scale is None or (math.isfinite(min_scale) and min_scale > 0)]
        if not all(good):
            raise ValueError("a setting makes no sense")
        self.inner = StaticLossScaler(init_scale)
        self.settings = (growth_factor, backoff_factor, growth_interval, hysteresis, min_scale or 2.0**-126)
        self.good, self.bad = 0, 0

    def scale(self, loss):
        return self.inner.scale(loss)

    def unscale_(self, optimizer):
        self.inner.unscale_(optimizer)

    def step(self, optimizer):
        return self.inner.step(optimizer)

    def update(self):
        growth, backoff, interval, hysteresis, floor = self.settings
        overflow = any(not flag.item() for flag in self.inner._finite.values())
        self.inner.update()
        scale = self.get_scale()
        if overflow:
            self.good, self.bad = 0, self.bad + 1
            if self.bad >= hysteresis:
                self.inner = StaticLossScaler(max(floor, scale * backoff))
        else:
            self.good += 1
            if self.good == interval:
                self.good = self.bad = 0
                if scale * growth < 2.0**128:
                    self.inner = StaticLossScaler(scale * growth)

    def get_scale(self):
        return self.inner.get_scale()

    def state_dict(self):
        return {"s": self.get_scale(), "good": self.good, "bad": self.bad}

    def load_state_dict(self, state):
        if set(state) != {"s", "good", "bad"} or not 0 < state["s"] < math.inf:
            raise ValueError("not the state of a DynamicLossScaler")
        self.inner, self.good, self.bad = StaticLossScaler(state["s"]), state["good"], state["bad"]
