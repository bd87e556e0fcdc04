/*
 * ruleset.c - destinations and maps: what an owner means to an asker    (pure)
 */
#include "rules/ruleset_inside.h"

#include "base/mem.h"

#include <stdlib.h>

/* tell is NULL for settings that were found good before. */
#define problem(tell, ...)                                                                         \
	do {                                                                                       \
		must((tell) != NULL);                                                              \
		settings_problem((tell), __VA_ARGS__);                                             \
	} while (0)

/* Form and uniqueness of names are settings_check.c's: what it refused is passed over here. */
static void
check_length(struct settings *tell, const char *name, size_t most, int line, const char *where)
{
	if (strlen(name) > most)
		problem(tell, line, where, "is longer than %zu bytes", most);
}

static void
load_destinations(struct ruleset *rules, const struct settings *settings, struct settings *tell)
{
	for (size_t i = 0; i < settings->destination_count; i++) {
		const struct destination_settings *row = &settings->destinations[i];

		check_length(tell, row->name, DESTINATION_NAME_MOST, row->line,
		    "destinations.name");
		if (row->name[0] == '\0' || ruleset_has_destination(rules, str_of(row->name)))
			continue;
		rules->destinations[rules->destination_count] =
		    (struct destination){.name = xstrdup(row->name),
			.index = rules->destination_count,
			.name_len = strlen(row->name)};
		rules->destination_count++;
	}
}

/* One text of a map; NULL when it is a problem of the file. */
static struct template *
load_text(struct settings *tell, const char *text, int line, const char *where)
{
	struct template *template;
	struct fault fault;

	if ((template = template_new(text, &fault)) == NULL)
		problem(tell, line, where, "%s", fault.text);
	return template;
}

static void
load_owner(struct ruleset *rules, struct view *view, const struct owner_settings *row,
    struct settings *tell)
{
	const struct destination *destination;
	struct template *template;

	if ((destination = ruleset_destination(rules, str_of(row->destination))) == NULL) {
		problem(tell, row->line, "maps.owners", "%s is no destination", row->destination);
		return;
	}
	if (view->owners[destination->index] != NULL) {
		problem(tell, row->line, "maps.owners", "%s has two rows", row->destination);
		return;
	}
	template = load_text(tell, row->text, row->line, "maps.owners");
	view->owners[destination->index] = template;
}

static bool
has_row(const struct map_settings *map, const char *destination)
{
	for (size_t i = 0; i < map->owner_count; i++) {
		if (strcmp(map->owners[i].destination, destination) == 0)
			return true;
	}
	return false;
}

static void
load_texts(struct ruleset *rules, struct view *view, const struct map_settings *map,
    struct settings *tell)
{
	for (size_t i = 0; i < map->owner_count; i++)
		load_owner(rules, view, &map->owners[i], tell);
	for (size_t i = 0; i < rules->destination_count; i++) {
		const char *name = rules->destinations[i].name;

		if (!has_row(map, name))
			problem(tell, map->line, "maps.owners",
			    "map %s has no row for destination %s (\"\" answers \"not found\")",
			    map->name, name);
	}
	if (map->held == NULL)
		return;
	view->held = load_text(tell, map->held, map->held_line, "maps.held");
	if (view->held != NULL && template_is_empty(view->held))
		problem(tell, map->held_line, "maps.held",
		    "is empty, which would deliver held mail: leave it out to ignore holds");
}

static void
load_view(struct ruleset *rules, const struct map_settings *map, struct settings *tell)
{
	struct view *view;

	check_length(tell, map->name, VIEW_NAME_MOST, map->line, "maps.name");
	if (map->name[0] == '\0' || ruleset_view(rules, str_of(map->name)) != NULL)
		return;
	view = &rules->views[rules->view_count++];
	view->name = xstrdup(map->name);
	view->name_len = strlen(map->name);
	view->owners = xnew_array(struct template *, rules->destination_count);
	load_texts(rules, view, map, tell);
}

static struct ruleset *
build(const struct settings *settings, struct settings *tell)
{
	struct ruleset *rules = xnew(struct ruleset);

	rules->destinations = xnew_array(struct destination, settings->destination_count);
	rules->views = xnew_array(struct view, settings->map_count);
	load_destinations(rules, settings, tell);
	for (size_t i = 0; i < settings->map_count; i++)
		load_view(rules, &settings->maps[i], tell);
	return rules;
}

struct ruleset *
ruleset_new(struct settings *settings)
{
	size_t problems = settings_problem_count(settings);
	struct ruleset *rules = build(settings, settings);

	if (settings_problem_count(settings) > problems)
		ruleset_free(&rules);
	return rules;
}

struct ruleset *
ruleset_of(const struct settings *settings)
{
	return build(settings, NULL);
}

static void
view_fini(const struct ruleset *rules, struct view *view)
{
	for (size_t i = 0; i < rules->destination_count; i++)
		template_free(&view->owners[i]);
	template_free(&view->held);
	free(view->owners);
	free(view->name);
}

void
ruleset_free(struct ruleset **rules)
{
	if (*rules == NULL)
		return;
	for (size_t i = 0; i < (*rules)->view_count; i++)
		view_fini(*rules, &(*rules)->views[i]);
	for (size_t i = 0; i < (*rules)->destination_count; i++)
		free((*rules)->destinations[i].name);
	free((*rules)->views);
	free((*rules)->destinations);
	free(*rules);
	*rules = NULL;
}

const struct destination *
ruleset_destination(const struct ruleset *rules, struct str name)
{
	for (size_t i = 0; i < rules->destination_count; i++) {
		const struct destination *destination = &rules->destinations[i];

		if (str_eq(str_make(destination->name, destination->name_len), name))
			return destination;
	}
	return NULL;
}

bool
ruleset_has_destination(const struct ruleset *rules, struct str name)
{
	return ruleset_destination(rules, name) != NULL;
}

const struct view *
ruleset_view(const struct ruleset *rules, struct str name)
{
	for (size_t i = 0; i < rules->view_count; i++) {
		const struct view *view = &rules->views[i];

		if (str_eq(str_make(view->name, view->name_len), name))
			return view;
	}
	return NULL;
}

size_t
ruleset_view_count(const struct ruleset *rules)
{
	return rules->view_count;
}

const struct view *
ruleset_view_at(const struct ruleset *rules, size_t i)
{
	must(i < rules->view_count);
	return &rules->views[i];
}

const char *
view_name(const struct view *view)
{
	return view->name;
}
