// What the viewer of report.html uses of three.js, and nothing else: the rest is left out.
export {
  AmbientLight,
  Box3,
  Color,
  DirectionalLight,
  NoToneMapping,
  PerspectiveCamera,
  SRGBColorSpace,
  Scene,
  Vector3,
  WebGLRenderer,
} from "three";
export { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
export { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
