// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A headless Chromium, started anew with an empty profile for each page that it looks at. */
final class Browser {
    private static final String[] NAMES = {"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"};

    /** No page of a test takes so long, unless the browser hangs. */
    private static final long HANG_SECONDS = 180;

    private final Path program;
    private final Path folder;
    private int calls;

    /** What a browser printed. */
    record Output(String out, String err) {}

    private Browser(Path program, Path folder) {
        this.program = program;
        this.folder = folder;
    }

    /** Finds a browser on PATH; the test is skipped where there is none. */
    static Browser find(Path folder) {
        Path program = onPath();
        assumeTrue(
                program != null,
                "SKIPPED: no Chromium on PATH to look at the page with; ./test installs Debian's package chromium "
                        + "where it may");
        return new Browser(Objects.requireNonNull(program), folder);
    }

    private static @Nullable Path onPath() {
        String path = System.getenv("PATH");
        return Stream.of((path == null ? "" : path).split(File.pathSeparator))
                .flatMap(directory -> Stream.of(NAMES).map(name -> Path.of(directory, name)))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
    }

    /** The page's elements after its scripts have run, and what went to the console. */
    Output dom(Path page, int width, int height) throws Exception {
        return run(page, width, height, "--dump-dom");
    }

    /** A picture of what fits into a window of that size. */
    Path screenshot(Path page, int width, int height) throws Exception {
        Path picture = folder.resolve("screenshot-" + calls + ".png");
        run(page, width, height, "--screenshot=" + picture, "--hide-scrollbars");
        return picture;
    }

    private Output run(Path page, int width, int height, String... what) throws IOException, InterruptedException {
        int call = calls++;
        Path out = folder.resolve("browser-" + call + ".out");
        Path err = folder.resolve("browser-" + call + ".err");
        List<String> command = new ArrayList<>(List.of(
                program.toString(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--enable-logging=stderr",
                "--force-device-scale-factor=1",
                "--window-size=" + width + "," + height,
                "--user-data-dir=" + Files.createTempDirectory(folder, "profile-")));
        command.addAll(Arrays.asList(what));
        command.add(page.toUri().toString());
        Process process = new ProcessBuilder(command)
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        try {
            if (!process.waitFor(HANG_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("the browser hangs:\n" + Files.readString(err));
            }
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        return new Output(Files.readString(out), Files.readString(err));
    }
}
