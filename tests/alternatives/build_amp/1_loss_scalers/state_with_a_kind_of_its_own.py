"""the state has a number that says which class it is of."""


def static_state(self):
    return {"version": 1, "value": self._scale}


def static_load(self, state):
    if state.get("version") != 1 or not math.isfinite(state["value"]) or state["value"] <= 0:
        raise ValueError("not the state of a StaticLossScaler")
    self._scale = float(state["value"])


def dynamic_state(self):
    return {"version": 2, "value": self._scale, "good": self._growth_tracker, "left": self._hysteresis_left}


def dynamic_load(self, state):
    if state.get("version") != 2 or not math.isfinite(state["value"]) or state["value"] <= 0:
        raise ValueError("not the state of a DynamicLossScaler")
    self._scale = float(state["value"])
    self._growth_tracker, self._hysteresis_left = state["good"], state["left"]


StaticLossScaler.state_dict, StaticLossScaler.load_state_dict = static_state, static_load
DynamicLossScaler.state_dict, DynamicLossScaler.load_state_dict = dynamic_state, dynamic_load
