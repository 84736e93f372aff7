"""Files in the layouts of other tools, written here by hand, and what each tool computes of them.

Nothing of studyrun is used: the keys, shapes, orientations and formulas are the tools' own. Every
writer takes named tensors of the file and returns its path; every oracle takes them too.
"""

import json

import torch
from safetensors.torch import save_file


def drawn(seed=0, **shapes):
    """Normal tensors of those shapes; biases and means are far from 0, so that they count."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def rows(d_in, n=12, seed=1):
    return torch.randn(n, d_in, generator=torch.Generator().manual_seed(seed)) * 3


def kept(h, by, k):
    """The entries of every row of `h` for which `by` is among the k largest; 0 elsewhere."""
    z = torch.zeros_like(h)
    for i in range(len(h)):
        chosen = sorted(range(h.shape[1]), key=lambda j: -float(by[i, j]))[:k]
        z[i, chosen] = h[i, chosen]
    return z


# SAELens: W_enc (d, S), W_dec (S, d)


def lens_config(d_in, d_sae, architecture, **more):
    metadata = {"sae_lens_version": "6.54.12", **more.pop("metadata", {})}
    return {
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": metadata,
        "architecture": architecture,
        **more,
    }


def write_lens(folder, tensors, config):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(config))
    save_file({name: t.contiguous() for name, t in tensors.items()},
              folder / "sae_weights.safetensors")  # fmt: skip
    return folder


def lens_tensors(d_in, d_sae, architecture="topk", seed=0):
    shapes = {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
    if architecture == "gated":
        shapes |= {"b_gate": (d_sae,), "r_mag": (d_sae,), "b_mag": (d_sae,)}
    else:
        shapes |= {"b_enc": (d_sae,)}
    tensors = drawn(seed, **shapes)
    if architecture == "jumprelu":
        tensors["threshold"] = drawn(seed + 1, t=(d_sae,))["t"].abs() + 0.1
    if "batchtopk" in architecture:
        tensors["topk_threshold"] = torch.tensor(1.5, dtype=torch.float64)
    return tensors


def lens(x, t, config):
    """(f, y) as SAELens computes them."""
    kind, k = config["architecture"], config.get("k")
    norms = t["W_dec"].norm(dim=1)
    if not config.get("rescale_acts_by_decoder_norm"):
        norms = torch.ones_like(norms)
    x_in = x - t["b_dec"] if config["apply_b_dec_to_input"] else x
    if kind == "gated":
        gate = x_in @ t["W_enc"] + t["b_gate"] > 0
        f = gate * torch.relu(x_in @ (t["W_enc"] * torch.exp(t["r_mag"])) + t["b_mag"])
        return f, f @ t["W_dec"] + t["b_dec"]
    h = (x_in @ t["W_enc"] + t["b_enc"]) * norms
    if kind == "standard":
        f = torch.relu(h)
    elif kind == "topk":
        f = torch.relu(kept(h, h, k))
    elif kind == "abstopk":
        f = kept(h, h.abs(), k)
    elif kind == "jumprelu":
        f = torch.relu(h) * (h > t["threshold"])
    else:
        f = torch.relu(h) * (h > t["topk_threshold"].float())
    return f, (f / norms) @ t["W_dec"] + t["b_dec"]


# sparsify: encoder.weight (S, d), W_dec (S, d)


def sparsify_config(d_in, **more):
    return {
        "activation": "topk",
        "expansion_factor": 32,
        "normalize_decoder": True,
        "num_latents": 0,
        "k": 32,
        "multi_topk": False,
        "skip_connection": False,
        "transcode": False,
        "d_in": d_in,
        **more,
    }


def sparsify_tensors(d_in, d_sae, seed=0):
    shapes = {"encoder.weight": (d_sae, d_in), "encoder.bias": (d_sae,)}
    return drawn(seed, **shapes, W_dec=(d_sae, d_in), b_dec=(d_in,))


def write_sparsify(folder, tensors, config):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(config))
    save_file(tensors, folder / "sae.safetensors")
    return folder


def sparsify(x, t, config):
    """(z, y): the chosen k are summed one by one."""
    h = torch.relu((x - t["b_dec"]) @ t["encoder.weight"].T + t["encoder.bias"])
    S, k = h.shape[1], config["k"]
    z, y = torch.zeros_like(h), t["b_dec"].repeat(len(x), 1)
    for i in range(len(h)):
        if config["activation"] == "topk":
            chosen = h[i].argsort(descending=True)[:k].tolist()
        else:
            size = S // k
            chosen = [g * size + int(h[i, g * size : (g + 1) * size].argmax()) for g in range(k)]
        for j in chosen:
            z[i, j] = h[i, j]
            y[i] += h[i, j] * t["W_dec"][j]
    return z, y


# dictionary_learning: by dict_class; Linear layers are (out, in)


def dictionary_config(dict_class, d_in, d_sae, **more):
    trainer = {"dict_class": dict_class, "activation_dim": d_in, "dict_size": d_sae, **more}
    return {"trainer": {"trainer_class": "Trainer", "lr": 1e-3, "seed": 0, **trainer}}


def dictionary_tensors(dict_class, d, S, seed=0, k=3, threshold=1.5):
    linear = {"encoder.weight": (S, d), "decoder.weight": (d, S)}
    plain = {"W_enc": (d, S), "b_enc": (S,), "W_dec": (S, d), "b_dec": (d,)}
    shapes = {
        "AutoEncoder": {**linear, "encoder.bias": (S,), "bias": (d,)},
        "AutoEncoderNew": {**linear, "encoder.bias": (S,), "decoder.bias": (d,)},
        "GatedAutoEncoder": {**linear, "decoder_bias": (d,), "r_mag": (S,), "gate_bias": (S,),
                             "mag_bias": (S,)},
        "JumpReluAutoEncoder": plain,
        "AutoEncoderTopK": {**linear, "encoder.bias": (S,), "b_dec": (d,)},
        "BatchTopKSAE": {**linear, "encoder.bias": (S,), "b_dec": (d,)},
        "MatryoshkaBatchTopKSAE": plain,
    }[dict_class]  # fmt: skip
    tensors = drawn(seed, **shapes)
    if dict_class == "JumpReluAutoEncoder":
        tensors["threshold"] = drawn(seed + 1, t=(S,))["t"].abs() + 0.1
    if "TopK" in dict_class:
        tensors |= {"k": torch.tensor(k, dtype=torch.int32), "threshold": torch.tensor(threshold)}
    if dict_class == "MatryoshkaBatchTopKSAE":
        tensors["group_sizes"] = torch.tensor([2, S - 2])
    return tensors


def write_dictionary(folder, tensors, config):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(tensors, folder / "ae.pt")
    return folder


def dictionary(x, t, dict_class, *, use_threshold=False, normalize=True):
    """(f, y) as the class computes them, after `from_pretrained` loaded it."""
    relu = torch.relu
    if dict_class == "AutoEncoder":
        norms = t["decoder.weight"].norm(dim=0) if normalize else torch.ones(1)
        Ew, Eb = t["encoder.weight"] * norms.unsqueeze(1), t["encoder.bias"] * norms
        Dw = t["decoder.weight"] / norms
        f = relu((x - t["bias"]) @ Ew.T + Eb)
        return f, f @ Dw.T + t["bias"]
    if dict_class == "AutoEncoderNew":
        f = relu(x @ t["encoder.weight"].T + t["encoder.bias"])
        return f, f @ t["decoder.weight"].T + t["decoder.bias"]
    if dict_class == "GatedAutoEncoder":
        e = (x - t["decoder_bias"]) @ t["encoder.weight"].T
        f = (e + t["gate_bias"] > 0) * relu(torch.exp(t["r_mag"]) * e + t["mag_bias"])
        return f, f @ t["decoder.weight"].T + t["decoder_bias"]
    if dict_class == "JumpReluAutoEncoder":
        h = x @ t["W_enc"] + t["b_enc"]
        f = relu(h * (h > t["threshold"]))
        return f, f @ t["W_dec"] + t["b_dec"]
    if dict_class == "MatryoshkaBatchTopKSAE":
        h = relu((x - t["b_dec"]) @ t["W_enc"] + t["b_enc"])
        f = h * (h > t["threshold"])
        return f, f @ t["W_dec"] + t["b_dec"]
    h = relu((x - t["b_dec"]) @ t["encoder.weight"].T + t["encoder.bias"])
    if dict_class == "BatchTopKSAE" or use_threshold:
        f = h * (h > t["threshold"])
    else:
        f = kept(h, h, int(t["k"]))
    return f, f @ t["decoder.weight"].T + t["b_dec"]


# The seed's


def seed_state(d, S, seed=0):
    shapes = {"encoder.weight": (S, d), "encoder.bias": (S,), "decoder.weight": (d, S)}
    return drawn(seed, **shapes, **{"decoder.bias": (d,)})


def seed_file(file, state, k=3, **config):
    S, d = state["encoder.weight"].shape
    config = {"input_dim": d, "latent_dim": S, "k": k, "position": 3, "layer": 14, **config}
    torch.save({"model_state_dict": state, "config": config, "metrics": {"ev": 0.9},
                "training_history": {"loss": [2.0, 1.0]}}, file)  # fmt: skip
    return file


def seeds(x, t, k):
    h = x @ t["encoder.weight"].T + t["encoder.bias"]
    z = kept(h, h.abs(), k)
    return z, z @ t["decoder.weight"].T + t["decoder.bias"]
