// A diorama of one photo, tilted by mouse, finger or the phone's own turning. SPDX-License-Identifier: CC0-1.0 (pages made with it are yours)
//
// The camera only moves sideways and up, with a shift of the lens that keeps one distance in place. So a point of the photo moves by
// (disparity - pivot) times the step, and planes stay affine: vertices are (x/z, y/z, 1/z), w is 1, and textures need no perspective.
"use strict";
(async () => {
  const canvas = document.querySelector("canvas");
  const say = text => {
    canvas.remove();
    document.body.append(Object.assign(document.createElement("p"), { textContent: text }));
  };
  const gl = canvas.getContext("webgl2", { antialias: false, alpha: false, depth: false, powerPreference: "low-power" });
  if (!gl) return say("This browser shows no WebGL 2; another one, or a newer one, will show this picture.");
  if (!window.DecompressionStream) return say("This browser is too old to unpack this picture; a newer one will show it.");
  const scene = JSON.parse(document.getElementById("packed").textContent);

  // ---- what is shown ----
  const bytesOf = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const unpack = async text => {
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  // differences from one number to the next, their low bytes first, then their high ones
  const plane = (bytes, at, count) => {
    const values = new Uint16Array(count);
    for (let i = 0, before = 0; i < count; i++) {
      before = values[i] = before + bytes[at + i] + (bytes[at + count + i] << 8);
    }
    return values;
  };

  // numbers of vertices, which come in the order of their first use: how far below the next new one each is
  const triangles = (bytes, at, count) => {
    const indices = new Uint32Array(count);
    for (let i = 0, next = 0; i < count; i++) {
      const below = bytes[at + i] + (bytes[at + count + i] << 8) + (bytes[at + 2 * count + i] << 16);
      indices[i] = next - below;
      if (!below) next++;
    }
    return indices;
  };

  const program = (vertex, fragment) => {
    const made = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, "#version 300 es\nprecision highp float;\n" + source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(made, shader);
    }
    ["across", "down", "disparity", "s", "t"].forEach((name, at) => gl.bindAttribLocation(made, at, name));
    gl.linkProgram(made);
    const names = {};
    for (let i = 0; i < gl.getProgramParameter(made, gl.ACTIVE_UNIFORMS); i++) {
      const name = gl.getActiveUniform(made, i).name;
      names[name] = gl.getUniformLocation(made, name);
    }
    return { made, names };
  };

  const surfaces = program(`
    in float across, down, disparity, s, t;
    uniform vec3 low, span;                    // of the numbers that vertices have from 0 to 1
    uniform vec4 frame;                        // left, top, width, height of the picture, over the focal length
    uniform vec4 move;                         // step to the right and up, pivot, zoom
    uniform vec2 depths;                       // least disparity, and one over what is from there to the largest
    uniform bool own;                          // the photo itself: its place is its texture's
    out vec2 at;
    void main() {
      vec3 p = low + span * vec3(across, down, disparity);
      at = own ? (p.xy - frame.xy) / frame.zw : vec2(s, t);
      vec2 seen = (p.xy + vec2(-move.x, move.y) * (p.z - move.z)) * move.w;
      vec2 place = (seen - frame.xy) / frame.zw * 2.0 - 1.0;
      gl_Position = vec4(place.x, -place.y, 0.998 - 1.996 * (p.z - depths.x) * depths.y, 1.0);
    }`, `
    in vec2 at;
    uniform sampler2D colour, alpha;
    uniform bool soft;
    out vec4 shown;
    void main() {
      shown = vec4(texture(colour, at, -0.5).rgb, soft ? texture(alpha, at).r : 1.0);
      if (shown.a < 0.002) discard;
    }`);

  // from light, in which silhouettes blend as in the photo, to what screens take
  const finish = program(`
    out vec2 at;
    void main() {
      at = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0;
      gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0);
    }`, `
    in vec2 at;
    uniform sampler2D light;
    out vec4 shown;
    void main() {
      vec3 c = texture(light, at).rgb;
      shown = vec4(mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c)), 1.0);
    }`);

  const texture = async (url, format, mips) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const made = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, made);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    if (format === gl.R8) gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, gl.RED, gl.UNSIGNED_BYTE, image);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.SRGB8_ALPHA8, gl.RGBA, gl.UNSIGNED_BYTE, image);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAX_LEVEL, mips);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    return made;
  };

  const mesh = async each => {
    const bytes = await unpack(each.data), n = each.vertices;
    const vertices = gl.createVertexArray();
    gl.bindVertexArray(vertices);
    for (let at = 0; at < (each.own ? 3 : 5); at++) {
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, plane(bytes, 2 * n * at, n), gl.STATIC_DRAW);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, 1, gl.UNSIGNED_SHORT, true, 0, 0);
    }
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles(bytes, 2 * n * (each.own ? 3 : 5), each.indices), gl.STATIC_DRAW);
    return { ...each, array: vertices };
  };

  const textures = await Promise.all(scene.textures.map(async each => ({
    colour: await texture(each.colour, gl.SRGB8_ALPHA8, each.mips),
    alpha: each.alpha && await texture(each.alpha, gl.R8, each.mips),
  })));
  const meshes = [];
  for (const each of scene.meshes) meshes.push(await mesh(each));  // what is clear comes last
  document.getElementById("packed").remove();

  // ---- the picture ----
  let target = null;
  const resize = () => {
    const [width, height] = scene.size, room = [document.documentElement.clientWidth, window.innerHeight];
    const scale = Math.min(room[0] / width, room[1] / height), sharp = Math.min(window.devicePixelRatio || 1, 3);
    canvas.style.width = `${width * scale}px`;
    canvas.style.height = `${height * scale}px`;
    const size = [width, height].map(length => Math.max(1, Math.round(length * scale * sharp)));
    if (target && canvas.width === size[0] && canvas.height === size[1]) return;
    [canvas.width, canvas.height] = size;
    if (target) { gl.deleteTexture(target.light); target.stores.forEach(s => gl.deleteRenderbuffer(s)); target.frames.forEach(f => gl.deleteFramebuffer(f)); }
    const samples = Math.min(4, gl.getParameter(gl.MAX_SAMPLES));
    const frames = [gl.createFramebuffer(), gl.createFramebuffer()], stores = [];
    gl.bindFramebuffer(gl.FRAMEBUFFER, frames[0]);
    for (const [format, place] of [[gl.SRGB8_ALPHA8, gl.COLOR_ATTACHMENT0], [gl.DEPTH_COMPONENT24, gl.DEPTH_ATTACHMENT]]) {
      const store = gl.createRenderbuffer();
      stores.push(store);
      gl.bindRenderbuffer(gl.RENDERBUFFER, store);
      gl.renderbufferStorageMultisample(gl.RENDERBUFFER, samples, format, ...size);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, place, gl.RENDERBUFFER, store);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, frames[1]);
    const light = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, light);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.SRGB8_ALPHA8, ...size);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, light, 0);
    target = { frames, stores, light, size };
  };

  const draw = (x, y) => {
    const u = surfaces.names, { frames, light, size } = target, rim = Math.max(1, Math.hypot(x, y));
    [x, y] = [x / rim, y / rim];
    const { left, right, down, up } = scene.range, zoom = 1 + scene.tighter * Math.hypot(x, y);
    gl.bindFramebuffer(gl.FRAMEBUFFER, frames[0]);
    gl.viewport(0, 0, ...size);
    gl.clearColor(...scene.background, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(surfaces.made);
    gl.uniform4f(u.frame, ...scene.frame);
    gl.uniform4f(u.move, x * (x > 0 ? right : left), y * (y > 0 ? up : down), scene.pivot, zoom);
    gl.uniform2f(u.depths, ...scene.depths);
    gl.uniform1i(u.colour, 0);
    gl.uniform1i(u.alpha, 1);
    for (const each of meshes) {
      const { colour, alpha } = textures[each.texture];
      gl.activeTexture(gl.TEXTURE1);
      gl.bindTexture(gl.TEXTURE_2D, each.soft ? alpha : null);
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, colour);
      gl[each.soft ? "enable" : "disable"](gl.BLEND);
      gl.uniform1i(u.own, each.own);
      gl.uniform1i(u.soft, each.soft);
      gl.uniform3f(u.low, ...each.low);
      gl.uniform3f(u.span, ...each.span);
      gl.bindVertexArray(each.array);
      gl.drawElements(gl.TRIANGLES, each.indices, gl.UNSIGNED_INT, 0);
    }
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, frames[0]);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, frames[1]);
    gl.blitFramebuffer(0, 0, ...size, 0, 0, ...size, gl.COLOR_BUFFER_BIT, gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.disable(gl.DEPTH_TEST);
    gl.disable(gl.BLEND);
    gl.useProgram(finish.made);
    gl.bindVertexArray(null);
    gl.bindTexture(gl.TEXTURE_2D, light);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  };

  // ---- how it is tilted: (0, 0) is the photo, 1 the right and the upper rim of the safe range ----
  const at = { x: 0, y: 0 }, wanted = { x: 0, y: 0 }, REST = 1e-3, EASE = 110;
  const calm = location.hash === "#still" || matchMedia("(prefers-reduced-motion: reduce)").matches;  // nothing moves by itself
  let before = 0, running = false, swaying = 0;
  const frame = now => {
    if (swaying) {  // once to both sides, to tell that the picture moves
      const part = (now - swaying) / 5000;
      Object.assign(wanted, part < 1 ? { x: 0.7 * Math.sin(2 * Math.PI * part), y: 0.3 * Math.sin(4 * Math.PI * part) } : { x: 0, y: 0 });
      if (part >= 1) swaying = 0;
    }
    const nearer = calm ? 1 : 1 - Math.exp(-Math.min(Math.max(now - before, 0), 50) / EASE);
    before = now;
    at.x += (wanted.x - at.x) * nearer;
    at.y += (wanted.y - at.y) * nearer;
    running = swaying > 0 || Math.hypot(wanted.x - at.x, wanted.y - at.y) > REST;
    if (!running) Object.assign(at, wanted);
    draw(at.x, at.y);
    if (running) requestAnimationFrame(frame);
  };
  const run = () => {
    if (!running) {
      running = true;
      before = performance.now();
      requestAnimationFrame(frame);
    }
  };
  const tilt = (x, y) => { swaying = 0; Object.assign(wanted, { x, y }); run(); };
  const held = new Map();
  addEventListener("pointerdown", e => {
    if (e.pointerType !== "mouse") held.set(e.pointerId, [e.clientX, e.clientY, wanted.x, wanted.y]);
    askForTurning();
  });
  addEventListener("pointermove", e => {
    const half = Math.min(innerWidth, innerHeight) / 2, from = held.get(e.pointerId);
    if (from) tilt(from[2] - (e.clientX - from[0]) / half, from[3] + (e.clientY - from[1]) / half);
    else if (e.pointerType === "mouse") tilt(2 * e.clientX / innerWidth - 1, 1 - 2 * e.clientY / innerHeight);
  });
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, e => { if (held.delete(e.pointerId)) tilt(0, 0); });
  document.documentElement.addEventListener("mouseleave", () => tilt(0, 0));

  let middle = null;  // how the phone is held, which the picture's middle slowly follows
  const TURN = 18;  // degrees to the rim
  const turned = e => {
    if (e.beta === null || e.gamma === null || held.size) return;
    const angle = (screen.orientation ? screen.orientation.angle : 0) * Math.PI / 180;
    const now = [e.gamma * Math.cos(angle) + e.beta * Math.sin(angle), e.beta * Math.cos(angle) - e.gamma * Math.sin(angle)];
    if (!middle || Math.hypot(now[0] - middle[0], now[1] - middle[1]) > 60) middle = now;
    middle = middle.map((value, i) => value + 0.005 * (now[i] - value));
    tilt((now[0] - middle[0]) / TURN, (middle[1] - now[1]) / TURN);
  };
  addEventListener("deviceorientation", turned);
  let asked = false;
  const askForTurning = () => {  // iOS asks its user, and only after a touch
    if (asked || typeof DeviceOrientationEvent === "undefined" || !DeviceOrientationEvent.requestPermission) return;
    asked = true;
    DeviceOrientationEvent.requestPermission().catch(() => {});
  };

  resize();
  addEventListener("resize", () => { resize(); run(); });
  draw(0, 0);
  canvas.style.opacity = 1;
  window.diorama = { tilt, at, isStill: () => !running, draw: () => draw(at.x, at.y), error: () => gl.getError() };
  if (!calm) {
    swaying = performance.now();
    run();
  }
})().catch(error => {
  document.body.append(Object.assign(document.createElement("p"), { textContent: `This picture could not be shown (${error.message}).` }));
  throw error;
});
