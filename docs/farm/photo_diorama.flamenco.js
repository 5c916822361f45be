// A job type for Flamenco: every photo of a folder becomes a .blend, frames and a movie. How it is installed: docs/batch.md

const JOB_TYPE = {
    label: "Photo Diorama",
    settings: [
        { key: "photos", type: "string", subtype: "dir_path", required: true, description: "Folder of photos, in folders below it too" },
        { key: "output", type: "string", subtype: "dir_path", required: true, description: "Where scenes, frames and movies go" },
        { key: "count", type: "int32", required: true, description: "How many photos there are, as `photo-diorama farm list` says" },
        { key: "frames", type: "int32", default: 96, description: "Length of each movie" },
        { key: "frames_per_task", type: "int32", default: 24, description: "Frames that one task renders" },
        { key: "fps", type: "int32", default: 24, description: "Pace of the movie" },
        { key: "camera_move", type: "string", default: "swing", description: "How the camera moves, see `photo-diorama --help`" },
        { key: "long_side", type: "int32", default: 960, description: "Long side of the working grid" },
        { key: "render_side", type: "int32", default: 1280, description: "Long side of the frames in pixels" },
        { key: "samples", type: "int32", default: 4, description: "Rays a pixel" },
        { key: "program", type: "string", default: "photo-diorama", visible: "submission", description: "The command line on the workers" },
    ],
};

function compileJob(job) {
    const s = job.settings;

    // Flamenco lets a task wait for tasks, not for steps: a photo's frames begin as soon as its own scene is there
    function task(step, number, name, type, more) {
        const made = author.Task(name, type);
        const args = ["farm", step, s.photos, "--output", s.output, "--number", String(number)].concat(more);
        made.addCommand(author.Command("exec", { exe: s.program, args: args }));
        return made;
    }

    for (let number = 1; number <= s.count; number++) {
        const build = task("build", number, `build ${number}`, "misc", [
            "--frames", String(s.frames), "--camera-move", s.camera_move, "--long-side", String(s.long_side),
        ]);
        const encode = task("encode", number, `encode ${number}`, "misc", ["--frames", String(s.frames), "--fps", String(s.fps)]);
        job.addTask(build);
        for (let first = 1; first <= s.frames; first += s.frames_per_task) {
            const render = task("render", number, `render ${number} from ${first}`, "blender", [
                "--first", String(first), "--count", String(s.frames_per_task), "--samples", String(s.samples),
                "--render-side", String(s.render_side),
            ]);
            render.addDependency(build);
            encode.addDependency(render);
            job.addTask(render);
        }
        job.addTask(encode);
    }
}
