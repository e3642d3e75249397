// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the documents say of the tests is true as far as a program can tell. */
class DocumentationTest {
    private static final Path ROOT = root();

    /** {@code Class#method}; of two classes of one name, {@code lab/} means the one of the lab. */
    private static final Pattern TEST = Pattern.compile("`(lab/)?([A-Z]\\w*)#(\\w+)`");

    private static final Pattern ANSWER = Pattern.compile("(Y|P|–)[:,] .+");

    private static Path root() {
        Path folder = Path.of("").toAbsolutePath();
        while (!Files.isDirectory(folder.resolve("docs"))) {
            folder = Objects.requireNonNull(folder.getParent(), "there is no folder docs above this one");
        }
        return folder;
    }

    private static List<Path> files(String below, String ending) throws IOException {
        try (Stream<Path> files = Files.walk(ROOT.resolve(below))) {
            return files.filter(file -> file.toString().endsWith(ending)).toList();
        }
    }

    /** Where the tests are, by their classes' names. */
    private static Map<String, List<Path>> sources() throws IOException {
        List<Path> all = new ArrayList<>();
        for (String module : List.of("ffm-bindings", "core", "emulator", "cli", "it", "examples/tiny-vmm")) {
            all.addAll(files(module + "/src/test/java", ".java"));
        }
        return all.stream()
                .collect(Collectors.groupingBy(
                        file -> String.valueOf(file.getFileName()).replace(".java", "")));
    }

    @Test
    void shouldNameTestsThatExist() throws Exception {
        Map<String, List<Path>> sources = sources();
        List<String> wrong = new ArrayList<>();
        int named = 0;
        for (Path document : files("docs", ".md")) {
            Matcher test = TEST.matcher(Files.readString(document));
            while (test.find()) {
                named++;
                List<Path> classes = sources.getOrDefault(test.group(2), List.of()).stream()
                        .filter(file -> file.toString().contains("/it/lab/") == (test.group(1) != null))
                        .toList();
                if (classes.size() != 1 || !declares(classes.getFirst(), test.group(3))) {
                    wrong.add(document.getFileName() + ": " + test.group());
                }
            }
        }
        assertThat(wrong).as("no such test, or more than one").isEmpty();
        assertThat(named).isGreaterThan(100);
    }

    private static boolean declares(Path source, String method) throws IOException {
        return Pattern.compile("(?m)^ +(public )?void " + method + "\\(")
                .matcher(Files.readString(source))
                .find();
    }

    @Test
    void shouldHaveATestForEachThingThatWorks() throws Exception {
        String section = "";
        int rows = 0;
        List<String> wrong = new ArrayList<>();
        for (String line : Files.readAllLines(ROOT.resolve("docs/what-works.md"))) {
            if (line.startsWith("## ")) {
                section = line;
            }
            boolean head = line.startsWith("| what |") || line.startsWith("| feature |") || line.startsWith("|---");
            if (line.startsWith("|") && !head) {
                rows++;
                if (!isAnswered(section, line.split(" \\| ", -1))) {
                    wrong.add(line);
                }
            }
        }
        assertThat(wrong)
                .as("rows that say neither which test shows it nor why there is none")
                .isEmpty();
        assertThat(rows).isGreaterThan(80);
    }

    private static boolean isAnswered(String section, String[] cells) {
        String last = cells[cells.length - 1].replaceFirst(" \\|$", "");
        boolean hasTest = TEST.matcher(last).find();
        if (!section.equals("## Beside others")) {
            return cells.length == 3 && (hasTest || (last.equals("–") && cells[1].startsWith("to come")));
        }
        return cells.length == 6 && ANSWER.matcher(last).matches() && (hasTest || last.startsWith("–"));
    }
}
