"use strict";
// The report's own script. `THREE` is the part of three.js that tools/bundle_three.sh packs.
(() => {
  const byId = (id) => document.getElementById(id);
  const facts = JSON.parse(byId("facts").textContent);
  const say = (state) => { document.documentElement.dataset.state = state; };

  // --- the photo and what lies over it ---
  const over = byId("over");
  const wipe = byId("wipe");
  const showWipe = () => {
    over.style.clipPath = `inset(0 0 0 ${100 - wipe.value}%)`;
    byId("edge").style.left = `${100 - wipe.value}%`;
  };
  const layers = Object.entries(facts.layers).map(([name, picture]) => {
    const button = document.createElement("button");
    button.textContent = name;
    button.onclick = () => {
      over.src = picture;
      layers.forEach((other) => other.classList.toggle("on", other === button));
    };
    byId("layers").append(button);
    return button;
  });
  layers[0].click();
  wipe.oninput = showWipe;
  showWipe();

  // --- the avatar ---
  const canvas = byId("view");
  let renderer;
  try {
    renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
  } catch (error) {
    byId("trouble").hidden = false;
    byId("trouble").textContent =
      "This browser shows no 3D (WebGL is off): open face.glb in another program.";
    say("no-webgl");
    return;
  }
  renderer.toneMapping = THREE.NoToneMapping;
  const scene = new THREE.Scene();
  const camera = new THREE.PerspectiveCamera(24, 1, 0.01, 20);
  const controls = new THREE.OrbitControls(camera, canvas);
  controls.enableDamping = true;
  controls.autoRotateSpeed = 4;
  const lamp = new THREE.DirectionalLight();
  const fill = new THREE.AmbientLight();
  scene.add(lamp, fill);

  // --- light ---
  const lightNames = { round: [-180, 180], height: [-90, 90], lamp: [0, 4], fill: [0, 3], warmth: [-1, 1] };
  const lightInputs = {};
  const presets = {
    flat: { round: 0, height: 20, lamp: 0.6, fill: 2.4, warmth: 0 },
    studio: { round: -30, height: 30, lamp: 2.2, fill: 1.3, warmth: 0 },
    side: { round: -75, height: 5, lamp: 3, fill: 0.4, warmth: 0 },
    above: { round: 0, height: 70, lamp: 3, fill: 0.5, warmth: 0 },
    evening: { round: 60, height: 15, lamp: 2.6, fill: 0.7, warmth: 0.8 },
  };
  const showLight = () => {
    const at = Object.fromEntries(Object.entries(lightInputs).map(([k, v]) => [k, Number(v.value)]));
    const [round, height] = [at.round, at.height].map((deg) => (deg * Math.PI) / 180);
    lamp.position.set(
      Math.sin(round) * Math.cos(height), Math.sin(height), Math.cos(round) * Math.cos(height));
    lamp.intensity = at.lamp;
    fill.intensity = at.fill;
    lamp.color.setRGB(1 + 0.3 * at.warmth, 1, 1 - 0.45 * at.warmth);
  };
  for (const name of Object.keys(presets)) {
    const button = document.createElement("button");
    button.textContent = name;
    button.onclick = () => {
      for (const [key, value] of Object.entries(presets[name])) lightInputs[key].value = value;
      showLight();
    };
    byId("lights").append(button);
  }
  for (const [name, [low, high]] of Object.entries(lightNames)) {
    const label = document.createElement("label");
    label.className = "light";
    label.innerHTML = `<span>${name}</span><input type="range" min="${low}" max="${high}" step="any">`;
    lightInputs[name] = label.querySelector("input");
    lightInputs[name].oninput = showLight;
    byId("lights").append(label);
  }
  byId("lights").querySelectorAll("button")[1].click();

  // --- expressions ---
  const meshes = [];
  const units = new Map();
  const now = {};
  let fold = () => {};
  const set = (name, value) => {
    for (const mesh of meshes) {
      const place = mesh.morphTargetDictionary[name];
      if (place !== undefined) mesh.morphTargetInfluences[place] = value;
    }
    const row = units.get(name);
    if (row) {
      row.input.value = value;
      row.output.textContent = Number(value).toFixed(2);
    }
    now[name] = value;
    fold();
  };
  const setAll = (values) => {
    for (const name of units.keys()) set(name, values[name] ?? 0);
  };
  const otherSide = (name) => name.endsWith("Left")
    ? name.replace(/Left$/, "Right")
    : name.endsWith("Right") ? name.replace(/Right$/, "Left") : null;
  // A glance to one side is outwards for one eye and inwards for the other: those stay single.
  const twin = (name) => /^eyeLook(In|Out)/.test(name) ? null : otherSide(name);
  const groupOf = (name) => name.match(/^(eye|brow|jaw|mouth|cheek|nose|tongue)/)?.[0] ?? "other";
  const makeSliders = () => {
    const names = [...new Set(meshes.flatMap((mesh) => Object.keys(mesh.morphTargetDictionary)))]
      .filter((name) => name in facts.expression);
    const groups = new Map();
    for (const name of names) {
      const group = groupOf(name);
      if (!groups.has(group)) {
        const details = document.createElement("details");
        details.open = group === "jaw" || group === "mouth";
        details.innerHTML = `<summary>${group}</summary>`;
        groups.set(group, details);
      }
      const row = document.createElement("label");
      row.className = "unit";
      const [low, high] = facts.bounds;
      row.innerHTML =
        `<span></span><input type="range" min="${low}" max="${high}" step="0.01"><output></output>`;
      row.firstChild.textContent = row.firstChild.title = name;
      const [input, output] = [row.querySelector("input"), row.querySelector("output")];
      input.oninput = () => {
        set(name, Number(input.value));
        if (byId("both").checked && twin(name)) set(twin(name), Number(input.value));
      };
      units.set(name, { input, output });
      groups.get(group).append(row);
    }
    byId("units").append(...groups.values());
    byId("fitted").onclick = () => setAll(facts.expression);
    byId("neutral").onclick = () => setAll({});
    byId("smile").onclick = () => setAll({
      mouthSmileLeft: 0.8, mouthSmileRight: 0.8, cheekSquintLeft: 0.5, cheekSquintRight: 0.5,
      jawOpen: 0.12, eyeSquintLeft: 0.3, eyeSquintRight: 0.3,
    });
    setAll({});
  };

  // --- folds: the more, the nearer the sliders come to the photo's expression ---
  const foldShare = () => {
    const { names, fitted, products } = facts.folds;
    const made = names.map((name) => now[name] ?? 0);
    const dot = (a, b) => a.reduce(
      (sum, x, i) => x === 0 ? sum : sum + x * b.reduce((s, y, k) => s + y * products[i][k], 0), 0);
    const [along, whole, own] = [dot(made, fitted), dot(fitted, fitted), dot(made, made)];
    if (Math.min(whole, own) < 0.01) return 0;
    return Math.min(Math.max(along / whole, 0), 1) * Math.max(along / Math.sqrt(whole * own), 0);
  };
  const startFolds = (materials, changed) => {
    const picture = new Image();
    picture.onload = () => {
      const map = [...materials.values()].find((one) => one);
      const rest = map.image;
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [rest.width, rest.height];
      const paper = canvas.getContext("2d");
      let shown = -1;
      let waits = false;
      const paint = () => {
        waits = false;
        const share = Math.round(foldShare() * 50) / 50;
        document.documentElement.dataset.folds = share;
        if (share === shown) return;
        shown = share;
        paper.globalAlpha = 1;
        paper.drawImage(rest, 0, 0);
        paper.globalAlpha = share;
        paper.drawImage(picture, 0, 0, canvas.width, canvas.height);
        for (const one of new Set(materials.values())) {
          if (!one) continue;
          one.image = canvas;
          one.needsUpdate = true;
        }
        changed();
      };
      fold = () => {
        if (!waits) requestAnimationFrame(paint);
        waits = true;
      };
      paint();
    };
    picture.src = facts.folds.picture;
  };

  // --- how sure the fit is ---
  // From sure to unsure: bright and warm to dark and cold, in steps that print in grey as well.
  const ramp = ["#fff4be", "#f5a046", "#be3c5a", "#461e6e"].map((one) => new THREE.Color(one));
  const colourBySigma = (avatar) => {
    const { low_mm: low, high_mm: high, meshes: shares } = facts.sigma;
    byId("sure").hidden = false;
    byId("sure").lastChild.textContent = `how sure: ${low} mm bright, ${high} mm dark`;
    avatar.traverse((mesh) => {
      if (!mesh.isMesh) return;
      const bytes = atob(shares[mesh.name.replace(/_mesh$/, "")] ?? "");
      const { count, constructor: BufferAttribute } = mesh.geometry.attributes.position;
      const colours = new BufferAttribute(new Float32Array(3 * count), 3);
      for (let k = 0; k < count; k++) {
        const at = (bytes.charCodeAt(k) || 0) / 255 * (ramp.length - 1);
        const step = Math.min(Math.floor(at), ramp.length - 2);
        const one = ramp[step].clone().lerp(ramp[step + 1], at - step);
        colours.setXYZ(k, one.r, one.g, one.b);
      }
      mesh.geometry.setAttribute("color", colours);
    });
  };

  // --- start ---
  const frame = (box) => {
    const middle = box.getCenter(new THREE.Vector3());
    const size = box.getSize(new THREE.Vector3());
    const half = Math.max(size.x, size.y) / 2;
    controls.target.copy(middle);
    camera.position.copy(middle);
    camera.position.z += (1.12 * half) / Math.tan((camera.fov * Math.PI) / 360) + size.z / 2;
  };
  const draw = () => {
    const side = canvas.clientWidth * Math.min(window.devicePixelRatio, 2);
    if (canvas.width !== Math.round(side)) renderer.setSize(Math.round(side), Math.round(side), false);
    controls.update();
    renderer.render(scene, camera);
    requestAnimationFrame(draw);
  };
  const bytes = Uint8Array.from(atob(byId("glb").textContent), (c) => c.charCodeAt(0));
  new THREE.GLTFLoader().parse(bytes.buffer, "", (gltf) => {
    scene.add(gltf.scene);
    const skins = new Map();
    // What hangs has a picture of its own, and is shown with the texture alone.
    const hair = [];
    gltf.scene.traverse((object) => {
      if (!object.isMesh) return;
      if (object.morphTargetDictionary) meshes.push(object);
      object.frustumCulled = false;
      if (object.material.name === "hair") hair.push(object);
      else skins.set(object.material, object.material.map);
    });
    makeSliders();
    // Precisely: the bounds in the file hold what all blendshapes together could reach.
    const box = new THREE.Box3().setFromObject(gltf.scene, true);
    frame(box);
    byId("frame").onclick = () => frame(box);
    byId("turn").onchange = () => { controls.autoRotate = byId("turn").checked; };
    const dress = () => {
      const sigma = byId("sigma").checked;
      const textured = byId("textured").checked && !sigma;
      for (const object of hair) object.visible = textured;
      for (const [material, map] of skins) {
        material.map = textured ? map : null;
        material.vertexColors = sigma;
        material.color.set(textured || sigma ? 0xffffff : 0xb5b5b5);
        material.needsUpdate = true;
      }
    };
    byId("textured").onchange = byId("sigma").onchange = dress;
    if (facts.sigma) colourBySigma(gltf.scene);
    if (facts.folds) startFolds(skins, dress);
    // `#jawOpen=0.5&yaw=30` opens the page so: a link can show what is meant.
    const asked = new URLSearchParams(location.hash.slice(1));
    if (asked.has("sigma") && facts.sigma) { byId("sigma").checked = true; dress(); }
    if (asked.has("fitted")) setAll(facts.expression);
    for (const [name, value] of asked) if (units.has(name)) set(name, Number(value));
    if (asked.has("yaw")) {
      const away = camera.position.clone().sub(controls.target);
      away.applyAxisAngle(new THREE.Vector3(0, 1, 0), (-Number(asked.get("yaw")) * Math.PI) / 180);
      camera.position.copy(controls.target).add(away);
    }
    draw();
    say("ready");
  }, (error) => {
    byId("trouble").hidden = false;
    byId("trouble").textContent = `The avatar in this file can't be shown: ${error.message ?? error}`;
    say("failed");
  });
})();
