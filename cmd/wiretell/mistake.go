package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// plain says a mistake that the flag parser found in the words of its user.
func plain(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return fmt.Errorf("--%s %q: %w", invalid.GetFlag().Name, invalid.GetValue(), cause(err))
	}
	return err
}

// cause returns what is wrong with a value, without the name of the flag, the
// Go function or the system call that found out.
func cause(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		err = invalid.Unwrap()
	}
	var number *strconv.NumError
	var path *fs.PathError
	switch {
	case errors.As(err, &number) && number.Func == "ParseBool":
		return errors.New("want true or false")
	case errors.As(err, &number) && number.Err == strconv.ErrRange:
		return errors.New("the number is too large")
	case errors.As(err, &number):
		return errors.New("want a whole number")
	case errors.As(err, &path):
		return path.Err
	case strings.HasPrefix(err.Error(), "time: "):
		return errors.New("want a time with its unit, as 500ms, 10s or 15m")
	}
	return err
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, but %q is given", cmd.Name(), args[0])
	}
	return nil
}

// knownCommand refuses what is no command, and proposes what may be meant.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := &exitError{code: exitUsage, err: fmt.Errorf("unknown command %q", args[0])}
	if like := root.SuggestionsFor(args[0]); len(like) > 0 {
		e.hint = fmt.Sprintf("did you mean %q?", "wiretell "+like[0])
	}
	return e
}
